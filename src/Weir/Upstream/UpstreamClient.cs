using System.Runtime.CompilerServices;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>Conversations with servers of both eras: opens and ends them, and carries requests whose bodies are made elsewhere.</summary>
internal sealed class UpstreamClient(UpstreamTransport transport, TimeProvider time)
{
    /// <summary>For a goodbye, whose answer does not matter.</summary>
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>
    /// How often a stream that breaks off is taken up again in one call, and after which pause where the server names none.
    /// </summary>
    private const int MaxResumes = 20;
    private static readonly TimeSpan DefaultRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private readonly UpstreamOpening _opening = new(transport);

    /// <summary>Room for what is kept of a target's answers after they were read.</summary>
    public ByteAccount Account(UpstreamTarget target, long most) => transport.Account(target, most);

    /// <inheritdoc cref="UpstreamOpening.OpenAsync"/>
    public Task<UpstreamSession> OpenAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct) =>
        _opening.OpenAsync(target, offered, ct);

    /// <summary>Posts one message. The caller reads the answer and disposes it.</summary>
    /// <param name="headers">What a modern server wants repeated of the arguments.</param>
    /// <param name="account">Where what it answers counts, and stays counted after the exchange; null: as long as the exchange
    /// lasts.</param>
    public Task<UpstreamRequest> PostAsync(
        UpstreamSession session, string method, string? name, ReadOnlyMemory<byte> body, CancellationToken ct,
        IEnumerable<(string Name, string Value)>? headers = null, ByteAccount? account = null) =>
        transport.PostAsync(session, method, name, body, ct, headers, account);

    /// <inheritdoc cref="UpstreamTransport.NotifyAsync"/>
    public Task NotifyAsync(UpstreamSession session, string method, ReadOnlyMemory<byte> body, CancellationToken ct) =>
        transport.NotifyAsync(session, method, body, ct);

    /// <summary>
    /// What the server says to one request. A stream that breaks off before the response is taken up again where the server
    /// gave its events ids: that is how it says that it may end a stream and go on in another.
    /// </summary>
    public async IAsyncEnumerable<UpstreamMessage> ReadAsync(
        UpstreamSession session, UpstreamRequest exchange, long id, [EnumeratorCancellation] CancellationToken ct)
    {
        var current = exchange;
        try
        {
            for (var resumed = 0; ; resumed++)
            {
                var done = false;
                await foreach (var message in current.ReadAsync(id, ct))
                {
                    done |= message.Fields.Kind == MessageKind.Response;
                    yield return message;
                }

                if (done || session.IsModern || current.LastEventId is not { } last || resumed == MaxResumes)
                {
                    yield break;
                }

                await Task.Delay(Shorter(current.RetryAfter ?? DefaultRetry, LongestRetry), time, ct);
                var next = await OpenStreamAsync(session, last, ct, exchange.Account);
                if (!ReferenceEquals(current, exchange))
                {
                    current.Dispose();
                }

                current = next;
            }
        }
        finally
        {
            if (!ReferenceEquals(current, exchange))
            {
                current.Dispose();
            }
        }
    }

    /// <summary>Opens a legacy session's own stream, or takes up again one that broke off. The caller reads and disposes it.</summary>
    /// <param name="lastEventId">The last event that came before a stream broke off; null opens the session's own.</param>
    public async Task<UpstreamRequest> OpenStreamAsync(
        UpstreamSession session, string? lastEventId, CancellationToken ct, ByteAccount? account = null)
    {
        if (session.Sse is { } sse)
        {
            return transport.Listen(session, sse);
        }

        var request = UpstreamTransport.Listen(session.Target, session.Version, session.SessionId);
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        var exchange = await transport.SendAsync(session.Target, request, ct, account);
        if (lastEventId is not null && session.CarriesId && exchange.Status is 400 or 401 or 404 or 410)
        {
            // A server that gives its events ids has this stream; what it does not know is the session.
            using (exchange)
            {
                throw SessionLoss.Lost(exchange.Status, isRefused: false);
            }
        }

        return exchange;
    }

    /// <summary>Asks for nothing but a sign that the server still knows a legacy session.</summary>
    /// <exception cref="UpstreamException">It does not, or is not reached.</exception>
    public async Task PingAsync(UpstreamSession session, CancellationToken ct)
    {
        var id = session.NextId();
        using var exchange = await PostAsync(session, Methods.Ping, name: null, RpcBody.Build(id, Methods.Ping, static _ => { }), ct);
        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            if (SessionLoss.IsSaidBy(message, session))
            {
                throw SessionLoss.Lost(exchange.Status, isRefused: false);
            }
        }
    }

    /// <summary>Ends a legacy session at the server; what it answers does not matter.</summary>
    public async Task CloseAsync(UpstreamSession session, CancellationToken ct)
    {
        session.Retire();
        if (session.SessionId is null)
        {
            return;
        }

        using var request = UpstreamTransport.Delete(session);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(CloseTimeout);
        try
        {
            using var exchange = await transport.SendAsync(session.Target, request, deadline.Token);
        }
        catch (Exception e) when (e is UpstreamException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // It is gone already, or will time the session out by itself.
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
