namespace Weir.Mcp;

internal enum MessageKind
{
    Request,
    Notification,
    Response,
}

/// <summary>
/// The outside of one JSON-RPC message: where its parts lie in the buffer. The parts themselves stay bytes; what is
/// inside <c>arguments</c> or <c>result</c> is walked for what no server may be shown (see <see cref="ClientMessageReader"/>),
/// but never materialized.
/// </summary>
internal readonly record struct ClientMessage
{
    public required MessageKind Kind { get; init; }

    /// <summary>The id token with its quotes, as the sender wrote it.</summary>
    public ByteRange Id { get; init; }

    /// <summary>Empty for a response.</summary>
    public string Method { get; init; }

    public ByteRange Params { get; init; }

    /// <summary><c>params.name</c>, or <c>params.uri</c> where the method is named by it; unescaped.</summary>
    public string? Name { get; init; }

    /// <summary><c>params.uri</c>, whichever method; unescaped.</summary>
    public string? Uri { get; init; }

    public ByteRange Arguments { get; init; }

    public ByteRange Meta { get; init; }

    public ByteRange ProgressToken { get; init; }

    /// <summary>The version in <c>_meta</c>, which makes a request a modern one; null where it is missing.</summary>
    public string? MetaVersion { get; init; }

    public ByteRange ClientCapabilities { get; init; }

    /// <summary><c>params.protocolVersion</c> of <c>initialize</c>.</summary>
    public string? RequestedVersion { get; init; }

    public ByteRange InitializeCapabilities { get; init; }

    public ByteRange Result { get; init; }

    public ByteRange Error { get; init; }

    /// <summary><c>params.requestId</c> of a cancellation, <c>params.progressToken</c> of a progress notification: the raw token.</summary>
    public ByteRange Subject { get; init; }

    /// <summary><c>params.cursor</c> of a list; null where it is missing.</summary>
    public string? Cursor { get; init; }

    /// <summary><c>params.requestState</c>: what the server gave to the try before this one, unescaped.</summary>
    public string? RequestState { get; init; }

    /// <summary><c>params.inputResponses</c>: what the client's person or model answered since.</summary>
    public ByteRange InputResponses { get; init; }

    /// <summary>
    /// From which level on the client wants log messages: of <c>_meta</c> in a modern request, of <c>params</c> in <c>logging/setLevel</c>.
    /// </summary>
    public string? LogLevel { get; init; }
}

/// <summary>A message that is refused before anything is asked of anybody.</summary>
internal sealed class ClientMessageException : Exception
{
    public ClientMessageException(int rpcCode, string message, ByteRange id = default)
        : base(message)
    {
        RpcCode = rpcCode;
        Id = id;
    }

    public int RpcCode { get; }

    /// <summary>The id, where it was readable before the refusal.</summary>
    public ByteRange Id { get; }
}
