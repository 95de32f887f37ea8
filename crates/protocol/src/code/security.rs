//! Errors of the door: routing, keys, signatures, timing, parameters, limits.

use super::rows;

rows! {
    /// An unclassified fault of ours.
    UNKNOWN = -1000 "UNKNOWN" 500 "An unknown error occurred while processing the request." Spot;
    /// An internal link was lost; the outcome is unknown.
    DISCONNECTED = -1001 "DISCONNECTED" 500 "Internal error; unable to process your request. Please try again." Spot;
    /// Not authorised, where the contract does not say `-2015`; the status follows that of `-2015`.
    UNAUTHORIZED = -1002 "UNAUTHORIZED" 401 "You are not authorized to execute this request." Spot;
    /// As [`UNAUTHORIZED`], on `/sapi`.
    UNAUTHORIZED_SAPI = -1002 "UNAUTHORIZED" 400 "You are not authorized to execute this request." Seen;
    /// The venue's answer was not understood; the outcome is unknown.
    UNEXPECTED_RESPONSE = -1006 "UNEXPECTED_RESP" 500 "An unexpected response was received from the message bus. Execution status unknown." Spot;
    /// The path is not in the catalog.
    NO_SUCH_ENDPOINT = -1000 "UNKNOWN" 404 "No such endpoint." Ours;
    /// What was asked for is not there, or not the caller's to see.
    NO_SUCH_RECORD = -1000 "UNKNOWN" 404 "No such record." Ours;
    /// The path is in the catalog, but not with this method.
    METHOD_NOT_ALLOWED = -1000 "UNKNOWN" 405 "Request method '%s' is not supported for this endpoint." Ours;
    /// The endpoint is in the contract, but this venue does not offer it.
    NOT_AVAILABLE = -1020 "UNSUPPORTED_OPERATION" 400 "This operation is not supported: '%s' is not available on this venue." Ours;
    /// The endpoint was withdrawn.
    GONE = -1016 "SERVICE_SHUTTING_DOWN" 410 "This service is no longer available." Spot;
    /// The request is not one that this system reads: its target, headers or body.
    BAD_REQUEST = -1000 "UNKNOWN" 400 "Malformed request: %s." Ours;
    /// A body without an announced length.
    LENGTH_REQUIRED = -1000 "UNKNOWN" 411 "A body needs a Content-Length." Ours;
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
    /// As [`BANNED`], on `/sapi`, which never answers 418.
    BANNED_SAPI = -1003 "TOO_MANY_REQUESTS" 429 "Way too much request weight used; IP banned until %s. Please use WebSocket Streams for live updates to avoid bans." Ours;
    /// The venue's answer is unknown.
    TIMEOUT = -1007 "TIMEOUT" 504 "Timeout waiting for response from backend server. Send status unknown; execution status unknown." Spot;
    /// A bounded queue is full.
    SERVER_BUSY = -1008 "SERVER_BUSY" 503 "Server is currently overloaded with other requests. Please try again in a few minutes." Spot;
    /// A bounded queue is full, on `/sapi`.
    SERVER_BUSY_SAPI = -1004 "SERVER_BUSY" 503 "Server is busy, please wait and try again" Sapi;
    /// The spot side is overloaded, told on `/sapi`.
    SPOT_SERVER_BUSY_SAPI = -1008 "SERVER_BUSY" 503 "Spot server is currently overloaded with other requests. Please try again in a few minutes." Sapi;
    /// Unfilled-order count exceeded.
    TOO_MANY_ORDERS = -1015 "TOO_MANY_ORDERS" 429 "Too many new orders; current limit is %s orders per %s." Spot;
    /// Unfilled-order count exceeded, no limit named.
    TOO_MANY_ORDERS_UNNAMED = -1015 "TOO_MANY_ORDERS" 429 "Too many new orders." Spot;
    /// Not supported for this account or key.
    UNSUPPORTED_OPERATION = -1020 "UNSUPPORTED_OPERATION" 400 "This operation is not supported." Spot;
    /// Not supported for this account, on the second version of the sub-account key endpoints.
    UNSUPPORTED_OPERATION_V2 = -9000 "UNSUPPORTED_OPERATION" 400 "Unsupported operation" Sapi;
    /// Too many live connections.
    TOO_MANY_CONNECTIONS = -1034 "TOO_MANY_CONNECTIONS" 429 "Too many concurrent connections; current limit is '%s'." Spot;
    /// An account connects too often.
    TOO_MANY_CONNECTS_FOR_ACCOUNT = -1034 "TOO_MANY_CONNECTIONS" 429 "Too many connection attempts for account; current limit is %s per '%s'." Spot;
    /// An address connects too often.
    TOO_MANY_CONNECTS_FROM_IP = -1034 "TOO_MANY_CONNECTIONS" 429 "Too many connection attempts from IP; current limit is %s per '%s'." Spot;
    /// Not found, not authenticated or not authorised, on `/sapi`.
    NOT_FOUND_OR_AUTHORIZED_SAPI = -1099 "NOT_FOUND_AUTHENTICATED_OR_AUTHORIZED" 400 "Not found, authenticated, or authorized" Sapi;

    /// Older than its window.
    OUTSIDE_RECV_WINDOW = -1021 "INVALID_TIMESTAMP" 400 "Timestamp for this request is outside of the recvWindow." Spot;
    /// A second or more ahead.
    AHEAD_OF_SERVER = -1021 "INVALID_TIMESTAMP" 400 "Timestamp for this request was 1000ms ahead of the server's time." Spot;
    /// A change, other than a placement, whose signature was used before or on another route.
    SIGNATURE_REPLAYED = -1020 "UNSUPPORTED_OPERATION" 400 "This operation is not supported: the signature of this request was used before." Ours;
    /// Does not verify.
    INVALID_SIGNATURE = -1022 "INVALID_SIGNATURE" 400 "Signature for this request is not valid." Spot;

    /// Illegal characters, nothing named.
    ILLEGAL_CHARS = -1100 "ILLEGAL_CHARS" 400 "Illegal characters found in a parameter." Spot;
    /// Illegal characters in a named parameter.
    ILLEGAL_CHARS_IN = -1100 "ILLEGAL_CHARS" 400 "Illegal characters found in parameter '%s'; legal range is '%s'." Spot;
    /// Illegal characters, with an explanation, on `/sapi`.
    ILLEGAL_CHARS_SAPI = -1100 "ILLEGAL_CHARS" 400 "Illegal characters found in a parameter. %s" Sapi;
    /// Parameters where none are read.
    TOO_MANY_PARAMETERS = -1101 "TOO_MANY_PARAMETERS" 400 "Too many parameters sent for this endpoint." Spot;
    /// More parameters than the endpoint has.
    TOO_MANY_PARAMETERS_COUNTED = -1101 "TOO_MANY_PARAMETERS" 400 "Too many parameters; expected '%s' and received '%s'." Spot;
    /// A name given twice.
    DUPLICATE_PARAMETER = -1101 "TOO_MANY_PARAMETERS" 400 "Duplicate values for a parameter detected." Spot;
    /// Absent, empty or malformed, nothing named.
    MANDATORY_PARAMETER_UNNAMED = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "A mandatory parameter was not sent, was empty/null, or malformed." Spot;
    /// Absent, empty or malformed.
    MANDATORY_PARAMETER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "Mandatory parameter '%s' was not sent, was empty/null, or malformed." Spot;
    /// Neither of two.
    EITHER_PARAMETER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "Param '%s' or '%s' must be sent, but both were empty/null!" Spot;
    /// Over its upper bound.
    CANNOT_BE_GREATER = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "'%s' contains unexpected value. Cannot be greater than %s." Spot;
    /// A name that the contract does not know.
    UNKNOWN_PARAMETER = -1103 "UNKNOWN_PARAM" 400 "An unknown parameter was sent." Spot;
    /// Sent but not read, not counted.
    UNREAD_PARAMETERS_UNCOUNTED = -1104 "UNREAD_PARAMETERS" 400 "Not all sent parameters were read." Spot;
    /// Sent but not read.
    UNREAD_PARAMETERS = -1104 "UNREAD_PARAMETERS" 400 "Not all sent parameters were read; read '%s' parameter(s) but was sent '%s'." Spot;
    /// Present without a value, nothing named.
    PARAMETER_EMPTY_UNNAMED = -1105 "PARAM_EMPTY" 400 "A parameter was empty." Spot;
    /// Present without a value.
    PARAMETER_EMPTY = -1105 "PARAM_EMPTY" 400 "Parameter '%s' was empty." Spot;
    /// The fields of a message signature (RFC 9421) cannot be used.
    MESSAGE_SIGNATURE_UNUSABLE = -1102 "MANDATORY_PARAM_EMPTY_OR_MALFORMED" 400 "The message signature of this request cannot be used: %s." Ours;
    /// Not with this combination, nothing named.
    PARAMETER_NOT_REQUIRED_UNNAMED = -1106 "PARAM_NOT_REQUIRED" 400 "A parameter was sent when not required." Spot;
    /// Not with this combination.
    PARAMETER_NOT_REQUIRED = -1106 "PARAM_NOT_REQUIRED" 400 "Parameter '%s' sent when not required." Spot;
    /// Larger than its type.
    PARAMETER_OVERFLOW = -1108 "PARAM_OVERFLOW" 400 "Parameter '%s' overflowed." Spot;
    /// One of two is required, on `/sapi`.
    AT_LEAST_ONE_PARAMETER_SAPI = -1109 "AT_LEAST_ONE_PARAM" 400 "At least one of '%s' and '%s' was not sent." Sapi;
    /// Too many decimals.
    BAD_PRECISION = -1111 "BAD_PRECISION" 400 "Parameter '%s' has too much precision." Spot;
    /// Too many decimals for the asset, on `/sapi`.
    BAD_PRECISION_SAPI = -1111 "BAD_PRECISION" 400 "Precision is over the maximum defined for this asset." Sapi;
    /// Optional parameters that exclude or require each other.
    BAD_COMBINATION = -1128 "OPTIONAL_PARAMS_BAD_COMBO" 400 "Combination of optional parameters invalid." Spot;
    /// As [`BAD_COMBINATION`], with the two that belong together.
    BAD_COMBINATION_PAIR = -1128 "OPTIONAL_PARAMS_BAD_COMBO" 400 "Combination of optional fields invalid. Recommendation: '%s' and '%s' must both be sent." Spot;
    /// As [`BAD_COMBINATION`], with the list that belongs together.
    BAD_COMBINATION_TOGETHER = -1128 "OPTIONAL_PARAMS_BAD_COMBO" 400 "Fields [%s] must be sent together or omitted entirely." Spot;
    /// As [`BAD_COMBINATION`], with the list that excludes itself.
    CONFLICTING_FIELDS = -1128 "OPTIONAL_PARAMS_BAD_COMBO" 400 "Conflicting fields: [%s]" Spot;
    /// Wrong format or out of its set, nothing named.
    INVALID_PARAMETER_UNNAMED = -1130 "INVALID_PARAMETER" 400 "Invalid data sent for a parameter." Spot;
    /// Wrong format or out of its set.
    INVALID_PARAMETER = -1130 "INVALID_PARAMETER" 400 "Data sent for parameter '%s' is not valid." Spot;
    /// recvWindow over the largest, on `/sapi`.
    BAD_RECV_WINDOW = -1131 "BAD_RECV_WINDOW" 400 "recvWindow must be less than %s" Sapi;
    /// Not the JSON that the parameter takes.
    INVALID_JSON = -1135 "INVALID_JSON" 400 "JSON sent for parameter '%s' is not valid" Spot;
    /// A body or frame that is not JSON.
    INVALID_JSON_REQUEST = -1135 "INVALID_JSON" 400 "Invalid JSON Request" Spot;
    /// Unknown time unit.
    INVALID_TIME_UNIT = -1194 "INVALID_TIME_UNIT" 400 "Invalid value for time unit; expected either MICROSECOND or MILLISECOND." Spot;
    /// SBE was asked for.
    SBE_DISABLED = -1155 "SBE_DISABLED" 400 "SBE is not enabled." Spot;
    /// The SBE header is not one.
    INVALID_SBE_HEADER = -1152 "INVALID_SBE_HEADER" 400 "Invalid 'X-MBX-SBE' header; expected '<SCHEMA_ID>:<VERSION>'." Spot;
    /// The SBE header names a schema that is not served.
    UNSUPPORTED_SCHEMA_ID = -1153 "UNSUPPORTED_SCHEMA_ID" 400 "Unsupported SBE schema ID or version specified in the 'X-MBX-SBE' header." Spot;
    /// The answer has no form in an SBE schema this old.
    DEPRECATED_SCHEMA = -1161 "DEPRECATED_SCHEMA" 400 "Unable to encode the response in SBE schema '%s'. Please use schema '%s' or higher." Spot;
    /// A field is missing from an SBE message or wrong.
    INVALID_SBE_MESSAGE_FIELD = -1221 "INVALID_SBE_MESSAGE_FIELD" 400 "Invalid/missing field(s) in SBE message." Spot;

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
