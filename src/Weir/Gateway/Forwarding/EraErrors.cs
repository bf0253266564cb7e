using Weir.Mcp;

namespace Weir.Gateway.Forwarding;

/// <summary>Error codes that the eras spell differently, and those that one of them does not have.</summary>
internal static class EraErrors
{
    public static int Translate(int code, string method, bool fromModern, bool toModern) => (toModern, code) switch
    {
        (true, RpcCodes.ResourceNotFound) => RpcCodes.InvalidParams,
        // What a server says of Weir's request concerns Weir, not the client.
        (true, RpcCodes.MissingClientCapability) when fromModern => code,
        (true, <= -32020 and >= -32099) => RpcCodes.InternalError,
        (false, RpcCodes.InvalidParams) when fromModern && method == Methods.ResourcesRead => RpcCodes.ResourceNotFound,
        (false, RpcCodes.MissingClientCapability) => RpcCodes.InvalidParams,
        (false, RpcCodes.HeaderMismatch or RpcCodes.UnsupportedProtocolVersion) => RpcCodes.InternalError,
        _ => code,
    };
}
