using System.Buffers.Text;
using System.Net.Http.Headers;
using Weir.Egress;
using Weir.Errors;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// How a message gets to a server in each version of the transport: through which sockets, with which headers, and where its answer comes.
/// </summary>
/// <param name="budget">Where what servers send counts; null: of each call alone.</param>
internal sealed class UpstreamTransport(EgressHttp egress, int maxResponseBytes, TimeProvider time, ByteBudget? budget = null)
{
    private readonly ByteBudget _budget = budget ?? new ByteBudget(maxResponseBytes * 2L, long.MaxValue);

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>More than this much of one answer is not read.</summary>
    public int MaxResponseBytes => maxResponseBytes;

    /// <summary>Room for what is kept of a target's answers after they were read.</summary>
    public ByteAccount Account(UpstreamTarget target, long most) => _budget.Open(target.ChargedTo, most);

    /// <summary>Posts one message. The caller reads the answer and disposes it.</summary>
    /// <param name="headers">What a modern server wants repeated of the arguments.</param>
    /// <param name="account">Where what it answers counts, and stays counted after the exchange; null: as long as the exchange
    /// lasts.</param>
    /// <exception cref="UpstreamException">The server is not reached, or does not know the session any more.</exception>
    public async Task<UpstreamRequest> PostAsync(
        UpstreamSession session, string method, string? name, ReadOnlyMemory<byte> body, CancellationToken ct,
        IEnumerable<(string Name, string Value)>? headers = null, ByteAccount? account = null)
    {
        var exchange = session.Sse is { } sse
            ? await PostAsync(session.Target, sse, body, ct, account)
            : await SendAsync(session.Target, Post(session, method, name, body, headers), ct, account);
        try
        {
            return await SessionLoss.OfAsync(session, exchange, body, ct) is { } lost ? throw lost : exchange;
        }
        catch
        {
            exchange.Dispose();
            throw;
        }
    }

    private static HttpRequestMessage Post(
        UpstreamSession session, string method, string? name, ReadOnlyMemory<byte> body, IEnumerable<(string Name, string Value)>? headers)
    {
        var request = Post(session.Target, session.Version, session.SessionId, method, name, body);
        foreach (var (header, value) in headers ?? [])
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        return request;
    }

    /// <summary>Posts what expects no answer: a notification, or the answer to a server's request.</summary>
    /// <exception cref="UpstreamException">It was not taken.</exception>
    public async Task NotifyAsync(UpstreamSession session, string method, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        using var exchange = await PostAsync(session, method, name: null, body, ct);
        if (exchange.Status >= 300)
        {
            throw exchange.RefusalByStatus;
        }
    }

    /// <summary>Posts where the stream said; what the server answers comes on the stream.</summary>
    public async Task<UpstreamRequest> PostAsync(
        UpstreamTarget target, SseConnection sse, ReadOnlyMemory<byte> body, CancellationToken ct, ByteAccount? account = null)
    {
        var fields = ServerMessage.Read(body.Span);
        long id = 0;
        var own = account is null ? _budget.Open(target.ChargedTo) : null;
        var expected = fields.Kind == MessageKind.Request && Utf8Parser.TryParse(fields.Id.Of(body.Span), out id, out _)
            ? sse.Expect(id, account ?? own!) : null;
        using var request = Post(target with { Endpoint = sse.Endpoint }, version: null, sessionId: null, "", name: null, body);
        try
        {
            var exchange = await SendAsync(target, request, ct);
            if (expected is not null && exchange.Status < 300)
            {
                return exchange.AnsweredBy(expected, () =>
                {
                    sse.Forget(id);
                    own?.Dispose();
                });
            }

            sse.Forget(id);
            own?.Dispose();
            return exchange;
        }
        catch
        {
            sse.Forget(id);
            own?.Dispose();
            throw;
        }
    }

    /// <exception cref="UpstreamException">The server is not reached, or may not be.</exception>
    /// <param name="account">Where what it answers counts, and stays counted after the exchange; null: as long as the exchange
    /// lasts.</param>
    public async Task<UpstreamRequest> SendAsync(
        UpstreamTarget target, HttpRequestMessage request, CancellationToken ct, ByteAccount? account = null)
    {
        var own = account is null ? _budget.Open(target.ChargedTo) : null;
        try
        {
            return await UpstreamRequest.SendAsync(
                Sockets(target), request, maxResponseBytes, time, target.IsNode, account ?? own!, own is null ? null : own.Dispose, ct);
        }
        catch
        {
            own?.Dispose();
            throw;
        }
    }

    /// <summary>What a session's stream says that belongs to no call, of a server of 2024-11-05.</summary>
    public UpstreamRequest Listen(UpstreamSession session, SseConnection sse)
    {
        var account = _budget.Open(session.Target.ChargedTo);
        var queue = sse.Listen(account);
        return UpstreamRequest.Of(queue, account, () =>
        {
            sse.Forget(queue);
            account.Dispose();
        }, maxResponseBytes, time);
    }

    /// <summary>The request for a stream.</summary>
    public static HttpRequestMessage Listen(UpstreamTarget target, string? version, string? sessionId)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, target.Endpoint);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        AddHeaders(request, target, version, sessionId);
        return request;
    }

    /// <summary>The request that ends a legacy session.</summary>
    public static HttpRequestMessage Delete(UpstreamSession session)
    {
        var request = new HttpRequestMessage(HttpMethod.Delete, session.Target.Endpoint);
        AddHeaders(request, session.Target, session.Version, session.SessionId);
        return request;
    }

    /// <summary>The request that carries a message.</summary>
    public static HttpRequestMessage Post(
        UpstreamTarget target, string? version, string? sessionId, string method, string? name, ReadOnlyMemory<byte> body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, target.Endpoint) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = Json;
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        AddHeaders(request, target, version, sessionId);
        if (version == Protocol.Modern)
        {
            request.Headers.TryAddWithoutValidation(Protocol.MethodHeader, method);
            if (name is not null)
            {
                request.Headers.TryAddWithoutValidation(Protocol.NameHeader, HeaderValues.Encode(name));
            }
        }

        return request;
    }

    private static void AddHeaders(HttpRequestMessage request, UpstreamTarget target, string? version, string? sessionId)
    {
        // A server of the oldest revision does not know the header, and may refuse it.
        if (version is not null && !string.Equals(version, Protocol.OldestLegacy, StringComparison.Ordinal))
        {
            request.Headers.TryAddWithoutValidation(Protocol.VersionHeader, version);
        }

        if (sessionId is not null)
        {
            request.Headers.TryAddWithoutValidation(Protocol.SessionHeader, sessionId);
        }

        if (target.NodeKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + target.NodeKey);
        }
    }

    private HttpMessageInvoker Sockets(UpstreamTarget target)
    {
        if (target.IsNode)
        {
            return egress.Operator;
        }

        try
        {
            egress.CheckUrl(target.Endpoint);
        }
        catch (WeirException e)
        {
            throw UpstreamException.Refused(e, FailureCause.SchemeNotAllowed);
        }

        return egress.Guarded;
    }
}
