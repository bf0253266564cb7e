using Weir.Identity;
using Weir.Mcp;

namespace Weir.Gateway.Calls;

/// <summary>One request that a server is to answer, as its caller wants it, whichever way it came in.</summary>
internal sealed record GovernedCall
{
    public required Principal Principal { get; init; }

    /// <summary>Null on <c>/mcp</c>; the instance's name where the endpoint is one server.</summary>
    public string? InstanceName { get; init; }

    /// <summary>
    /// As what it is decided and recorded: one of <see cref="CallKinds"/>. A completion or subscription is of the kind of what it is about.
    /// </summary>
    public required string Kind { get; init; }

    /// <summary>
    /// A chat turn asks for it as context, and that is as what it is decided and recorded; but where the item has the form of the
    /// other kind (see <c>weir.is_uri</c>), it stays what it is.
    /// </summary>
    public bool IsContext { get; init; }

    /// <summary>The name or URI that the caller used.</summary>
    public required string ExposedName { get; init; }

    /// <summary>The request's bytes; <see cref="Message"/> points into them.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    public required ClientMessage Message { get; init; }

    /// <summary>What ties the rows of one request together: the JSON-RPC id, or the chat turn.</summary>
    public required string RequestId { get; init; }

    /// <summary>Whose upstream session it uses where the instance shares none.</summary>
    public required string SessionAffinity { get; init; }

    /// <summary>What the server may ask of the client while it answers.</summary>
    public ClientCapabilities Offered { get; init; } = ClientCapabilities.None;

    /// <summary>From which level on the client wants to see the server's log messages; null: none.</summary>
    public string? LogLevel { get; init; }

    /// <summary>How long the server may take, where that is less than <c>mcp.callTimeoutSeconds</c>.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>As what the item is decided and recorded.</summary>
    public string DecidedAs(string item) => IsContext && CallKinds.IsUri(item) == (Kind == CallKinds.Resource) ? CallKinds.Context : Kind;

    /// <summary>A modern caller is told that input is wanted, and comes again; a legacy one is asked while it waits.</summary>
    public bool IsModern => Message.MetaVersion is not null;
}

/// <summary>What a person or model behind the client answered to a server: the bytes of a result, or of an error.</summary>
internal readonly record struct ClientResponse(ReadOnlyMemory<byte> Result, ReadOnlyMemory<byte> Error)
{
    public bool IsError => !Error.IsEmpty;
}

/// <summary>Takes what a server says while a call runs. Others write HTTP, or collect for a chat turn.</summary>
internal interface ICallResponder
{
    /// <summary>A notification that belongs to this call.</summary>
    ValueTask NotifyAsync(Upstream.UpstreamMessage message, CancellationToken ct);

    /// <summary>Something that the server asks of the client and that <see cref="GovernedCall.Offered"/> offers.</summary>
    /// <exception cref="TimeoutException">Nobody answered in time.</exception>
    Task<ClientResponse> AskAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken ct);

    /// <summary>The response, a result or an error; the last thing said.</summary>
    ValueTask FinishAsync(Upstream.UpstreamMessage message, Upstream.UpstreamSession session, CancellationToken ct);
}
