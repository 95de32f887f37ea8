//! Errors of the door: routing, keys, signatures, timing, parameters, limits.

use super::rows;

rows! {
    /// An unclassified fault of ours.
    UNKNOWN = -1000 "UNKNOWN" 500 "An unknown error occurred while processing the request." Spot;
    /// The path is not in the catalog.
    NO_SUCH_ENDPOINT = -1000 "UNKNOWN" 404 "No such endpoint." Ours;
    /// The path is in the catalog, but not with this method.
    METHOD_NOT_ALLOWED = -1000 "UNKNOWN" 405 "Request method '%s' is not supported for this endpoint." Ours;
    /// The endpoint is in the contract, but this venue does not offer it.
    NOT_AVAILABLE = -1020 "UNSUPPORTED_OPERATION" 400 "This operation is not supported: '%s' is not available on this venue." Ours;
    /// The endpoint was withdrawn.
    GONE = -1016 "SERVICE_SHUTTING_DOWN" 410 "This service is no longer available." Spot;
    /// The request is not one that this system reads: its target, headers or body.
    BAD_REQUEST = -1000 "UNKNOWN" 400 "Malformed request: %s." Ours;
    /// The body is larger than the endpoint takes.
    BODY_TOO_LARGE = -1000 "UNKNOWN" 413 "Request body is larger than %s bytes." Ours;
    /// The caller took too long to send its request.
    REQUEST_TIMEOUT = -1000 "UNKNOWN" 408 "The request was not received in time." Ours;
    /// A body in a coding that this system does not read.
    UNSUPPORTED_ENCODING = -1000 "UNKNOWN" 415 "Content-Encoding is not supported." Ours;
    /// The address is not what this listener serves.
    WRONG_HOST = -1000 "UNKNOWN" 421 "This host is not served here." Ours;

    /// Address over its weight.
    TOO_MUCH_WEIGHT = -1003 "TOO_MANY_REQUESTS" 429 "Too much request weight used; current limit is %s request weight per %s. Please use WebSocket Streams for live updates to avoid polling the API." Spot;
    /// Address over its raw number of requests.
    TOO_MANY_REQUESTS = -1003 "TOO_MANY_REQUESTS" 429 "Too many requests queued." Spot;
    /// Address banned; the argument is the end in milliseconds.
    BANNED = -1003 "TOO_MANY_REQUESTS" 418 "Way too much request weight used; IP banned until %s. Please use WebSocket Streams for live updates to avoid bans." Spot;
    /// The venue's answer is unknown.
    TIMEOUT = -1007 "TIMEOUT" 504 "Timeout waiting for response from backend server. Send status unknown; execution status unknown." Spot;
    /// A bounded queue is full.
    SERVER_BUSY = -1008 "SERVER_BUSY" 503 "Server is currently overloaded with other requests. Please try again in a few minutes." Spot;
    /// Unfilled-order count exceeded.
    TOO_MANY_ORDERS = -1015 "TOO_MANY_ORDERS" 429 "Too many new orders; current limit is %s orders per %s." Spot;
    /// Not supported for this account or key.
    UNSUPPORTED_OPERATION = -1020 "UNSUPPORTED_OPERATION" 400 "This operation is not supported." Spot;

    /// Older than its window.
    OUTSIDE_RECV_WINDOW = -1021 "INVALID_TIMESTAMP" 400 "Timestamp for this request is outside of the recvWindow." Spot;
    /// A second or more ahead.
    AHEAD_OF_SERVER = -1021 "INVALID_TIMESTAMP" 400 "Timestamp for this request was 1000ms ahead of the server's time." Spot;
    /// Does not verify.
    INVALID_SIGNATURE = -1022 "INVALID_SIGNATURE" 400 "Signature for this request is not valid." Spot;

    /// Illegal characters, nothing named.
    ILLEGAL_CHARS = -1100 "ILLEGAL_CHARS" 400 "Illegal characters found in a parameter." Spot;
    /// Illegal characters in a named parameter.
    ILLEGAL_CHARS_IN = -1100 "ILLEGAL_CHARS" 400 "Illegal characters found in parameter '%s'; legal range is '%s'." Spot;
    /// Parameters where none are read.
    TOO_MANY_PARAMETERS = -1101 "TOO_MANY_PARAMETERS" 400 "Too many parameters sent for this endpoint." Spot;
    /// More parameters than the endpoint has.
    TOO_MANY_PARAMETERS_COUNTED = -1101 "TOO_MANY_PARAMETERS" 400 "Too many parameters; expected '%s' and received '%s'." Spot;
    /// A name given twice.
    DUPLICATE_PARAMETER = -1101 "TOO_MANY_PARAMETERS" 400 "Duplicate values for a parameter detected." Spot;
    /// Absent, empty or malformed.
    MANDATORY_PARAMETER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "Mandatory parameter '%s' was not sent, was empty/null, or malformed." Spot;
    /// Neither of two.
    EITHER_PARAMETER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "Param '%s' or '%s' must be sent, but both were empty/null!" Spot;
    /// Over its upper bound.
    CANNOT_BE_GREATER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "'%s' contains unexpected value. Cannot be greater than %s." Spot;
    /// Sent but not read.
    UNREAD_PARAMETERS = -1104 "UNREAD_PARAMETERS" 400 "Not all sent parameters were read; read '%s' parameter(s) but was sent '%s'." Spot;
    /// Present without a value.
    PARAMETER_EMPTY = -1105 "PARAM_EMPTY" 400 "Parameter '%s' was empty." Spot;
    /// Not with this combination.
    PARAMETER_NOT_REQUIRED = -1106 "PARAM_NOT_REQUIRED" 400 "Parameter '%s' sent when not required." Spot;
    /// Larger than its type.
    PARAMETER_OVERFLOW = -1108 "PARAM_OVERFLOW" 400 "Parameter '%s' overflowed." Spot;
    /// Too many decimals.
    BAD_PRECISION = -1111 "BAD_PRECISION" 400 "Parameter '%s' has too much precision." Spot;
    /// Wrong format or out of its set.
    INVALID_PARAMETER = -1130 "INVALID_PARAMETER" 400 "Data sent for parameter '%s' is not valid." Spot;
    /// recvWindow over the largest, on `/sapi`.
    BAD_RECV_WINDOW = -1131 "BAD_RECV_WINDOW" 400 "recvWindow must be less than %s" Sapi;
    /// Not the JSON that the parameter takes.
    INVALID_JSON = -1135 "INVALID_JSON" 400 "JSON sent for parameter '%s' is not valid" Spot;
    /// Unknown time unit.
    INVALID_TIME_UNIT = -1194 "INVALID_TIME_UNIT" 400 "Invalid value for time unit; expected either MICROSECOND or MILLISECOND." Spot;
    /// SBE was asked for.
    SBE_DISABLED = -1155 "SBE_DISABLED" 400 "SBE is not enabled." Spot;

    /// Key unknown, on `/sapi`.
    BAD_API_ID = -2008 "BAD_API_ID" 400 "Invalid Api-Key ID." Seen;
    /// Key header absent or of the wrong shape, on `/api`.
    BAD_API_KEY_FORMAT = -2014 "BAD_API_KEY_FMT" 401 "API-key format invalid." Spot;
    /// Key header absent or of the wrong shape, on `/sapi`; the status is not evidenced.
    BAD_API_KEY_FORMAT_SAPI = -2014 "BAD_API_KEY_FMT" 401 "API-key format invalid." Ours;
    /// Key, address or permission, on `/api`.
    REJECTED_KEY = -2015 "REJECTED_MBX_KEY" 401 "Invalid API-key, IP, or permissions for action." Spot;
    /// Key, address or permission, on `/sapi`.
    REJECTED_KEY_SAPI = -2015 "REJECTED_MBX_KEY" 400 "Invalid API-key, IP, or permissions for action." Seen;
}
