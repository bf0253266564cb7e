using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Weir.Egress;
using Weir.Gateway.Calls;
using Weir.Gateway.Forwarding;
using Weir.Gateway.Http;
using Weir.Gateway.ServerRequests;
using Weir.Identity;
using Weir.Input;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Bench;

/// <summary>
/// Weir's forwarder alone: the product's own reading, checking, rewriting, posting and answering of a modern call, on a Kestrel of its own.
/// There is no key, name, decision or record, so that what is missing to the whole Weir is what these cost.
/// </summary>
internal sealed class BareForwarder(UpstreamTarget target, UpstreamSessions sessions, UpstreamClient upstream)
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly ClientResponses _answers = new(Guid.Empty, TimeProvider.System);

    public static async Task<int> RunAsync(int port, Uri server)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        using var egress = new EgressHttp(new EgressPolicy([server.Authority]));
        var upstream = new UpstreamClient(new UpstreamTransport(egress, 16 * 1024 * 1024, TimeProvider.System), TimeProvider.System);
        var forwarder = new BareForwarder(
            new UpstreamTarget(Guid.Empty, "bench", server, NodeKey: null), new UpstreamSessions(upstream, TimeProvider.System), upstream);
        app.Run(forwarder.ForwardAsync);
        await app.RunAsync();
        return 0;
    }

    private async Task ForwardAsync(HttpContext http)
    {
        var ct = http.RequestAborted;
        var body = await RequestBody.ReadAsync(http.Request, 4 * 1024 * 1024, ct)
            ?? throw new InvalidOperationException("The body is too large.");
        var message = ClientMessageReader.Read(body.Span);
        if (ModernChecks.Check(message, http.Request.Headers) is { } refusal)
        {
            await McpErrors.RefuseAsync(http, refusal, default);
            return;
        }

        var scope = new McpScope("/mcp", Principal.OfPerson(Guid.Empty, Guid.Empty), InstanceName: null);
        var exchange = new McpRequest(http, scope, body, message) { Modern = true };
        var call = new GovernedCall
        {
            Principal = scope.Principal,
            Kind = CallKinds.Tool,
            ExposedName = message.Name!,
            Body = body,
            Message = message,
            RequestId = "",
            SessionAffinity = "",
            Offered = exchange.Offered,
        };
        await using var responder = new HttpCallResponder(exchange, call, _answers, Timeout, () => "");
        var session = await sessions.GetAsync(target, "", call.Offered, ct);
        var id = session.NextId();
        var item = message.Name!;
        using var asked = await upstream.PostAsync(
            session, message.Method, ForwardedBody.NameOf(call, item), ForwardedBody.Build(call, item, session.IsModern, id), ct);
        await foreach (var answer in upstream.ReadAsync(session, asked, id, ct))
        {
            await responder.FinishAsync(answer, session, ct);
        }
    }
}
