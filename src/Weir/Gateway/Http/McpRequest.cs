using Microsoft.AspNetCore.Http;
using Weir.Definitions;
using Weir.Http;
using Weir.Mcp;

namespace Weir.Gateway.Http;

/// <summary>One request while it is answered.</summary>
internal sealed class McpRequest(HttpContext http, McpScope scope, ReadOnlyMemory<byte> body, ClientMessage message)
{
    public HttpContext Http { get; } = http;

    public McpScope Scope { get; } = scope;

    public ReadOnlyMemory<byte> Body { get; } = body;

    public ClientMessage Message { get; } = message;

    public CancellationToken Aborted => Http.RequestAborted;

    public byte[] Id { get; } = message.Id.Of(body.Span).ToArray();

    /// <summary>
    /// Whether the answer may be a stream. Where not, it is one JSON body, and what comes before the response is left out.
    /// </summary>
    public bool AcceptsEvents { get; } = AcceptHeader.Allows(http.Request, EventStream.ContentType);

    public bool Modern { get; set; }

    public string Era => Eras.Of(Modern);

    /// <summary>The server's name where addresses of user interfaces get it: on the endpoints that show several servers.</summary>
    public string? UiHost(string instanceName) => Scope.InstanceName is null ? instanceName : null;

    /// <summary>The legacy session that it belongs to; null in the modern era.</summary>
    public Session? Session { get; set; }

    /// <summary>What servers may ask of the client: declared by this request, or when its session began.</summary>
    public ClientCapabilities Offered => Session is { } session
        ? new ClientCapabilities(session.Capabilities)
        : ClientCapabilities.Read(Message.ClientCapabilities.Of(Body.Span));

    /// <summary>Whose upstream session it uses where an instance shares none: the client's session, or the agent.</summary>
    public string SessionAffinity { get; set; } = "";
}
