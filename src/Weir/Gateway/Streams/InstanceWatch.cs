using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Streams;

/// <summary>The stream of one server, in its era, kept open and opened again as long as it has subscribers.</summary>
internal sealed class InstanceWatch
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    private readonly UpstreamTarget _target;
    private readonly Func<CancellationToken, Task<UpstreamSession>> _open;
    private readonly bool _owns;
    private readonly UpstreamClient _upstream;
    private readonly Func<Guid, Task> _listChanged;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];

    /// <summary>Ends when what is subscribed to has changed.</summary>
    private CancellationTokenSource _changed = new();
    private Task? _loop;

    /// <summary>What the modern server's stream that is being read names.</summary>
    private string[] _listened = [];

    /// <param name="owns">Whether what <paramref name="open"/> opens is this watch's alone, and ends with it.</param>
    public InstanceWatch(
        UpstreamTarget target, Func<CancellationToken, Task<UpstreamSession>> open, bool owns, UpstreamClient upstream,
        Func<Guid, Task> listChanged, TimeProvider time, ILogger logger) =>
        (_target, _open, _owns, _upstream, _listChanged, _time, _logger) = (target, open, owns, upstream, listChanged, time, logger);

    /// <summary>False when the last subscriber has just left.</summary>
    public bool TryAdd(Subscription subscription)
    {
        lock (_lock)
        {
            if (_stop.IsCancellationRequested)
            {
                return false;
            }

            var known = _subscriptions.Find(s => s.Uri == subscription.Uri);
            _subscriptions.Add(subscription);
            if (known is null)
            {
                Change();
            }
            else if (known.Established.IsCompleted)
            {
                subscription.Establish();
            }

            _loop ??= Task.Run(RunAsync);
            return true;
        }
    }

    /// <summary>True when it was the last.</summary>
    public bool Remove(Subscription subscription)
    {
        lock (_lock)
        {
            _subscriptions.Remove(subscription);
            if (_subscriptions.Count == 0)
            {
                _stop.Cancel();
                return true;
            }

            if (!_subscriptions.Exists(s => s.Uri == subscription.Uri))
            {
                Change();
            }

            return false;
        }
    }

    private void Change()
    {
        var before = _changed;
        _changed = new CancellationTokenSource();
        before.Cancel();
    }

    private (string[] Uris, CancellationToken Changed) Wanted()
    {
        lock (_lock)
        {
            return ([.. _subscriptions.Select(s => s.Uri).OfType<string>().Distinct(StringComparer.Ordinal)], _changed.Token);
        }
    }

    private async Task RunAsync()
    {
        var wait = FirstWait;
        while (!_stop.IsCancellationRequested)
        {
            UpstreamSession? session = null;
            try
            {
                session = await _open(_stop.Token);
                await (session.IsModern ? ListenModernAsync(session) : ListenLegacyAsync(session));
                wait = FirstWait;
            }
            catch (Exception e) when (e is UpstreamException or OperationCanceledException or JsonException or IOException)
            {
                _logger.LogDebug(e, "The stream of server {Instance} ended.", _target.InstanceName);
            }

            // Whoever still waits waits for the next stream, which may be long in coming.
            Establish(Wanted().Uris);

            await CloseAsync(session);
            await PauseAsync(wait);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    /// <summary>One GET stream, and a request for each resource that is subscribed to.</summary>
    private async Task ListenLegacyAsync(UpstreamSession session)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        using var stream = await _upstream.OpenStreamAsync(session, lastEventId: null, ended.Token);
        var reading = ReadAsync(session, stream, ended.Token);
        var subscribing = FollowAsync(session, ended.Token);
        await Task.WhenAny(reading, subscribing);
        await ended.CancelAsync();
        await Task.WhenAll(reading, subscribing);
    }

    private async Task FollowAsync(UpstreamSession session, CancellationToken ct)
    {
        var subscribed = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            var (uris, changed) = Wanted();
            foreach (var uri in uris.Where(subscribed.Add))
            {
                await AskAsync(session, Methods.Subscribe, uri, ct);
            }

            foreach (var uri in subscribed.Except(uris, StringComparer.Ordinal).ToArray())
            {
                subscribed.Remove(uri);
                await AskAsync(session, Methods.Unsubscribe, uri, ct);
            }

            Establish(uris);
            await UntilAsync(changed, ct);
        }
    }

    private async Task AskAsync(UpstreamSession session, string method, string uri, CancellationToken ct)
    {
        var id = session.NextId();
        var body = RpcBody.Build(id, method, json => json.WriteString("uri"u8, uri));
        using var exchange = await _upstream.PostAsync(session, method, name: null, body, ct);
        await foreach (var message in exchange.ReadAsync(id, ct))
        {
            if (message.Outline.Error.Exists)
            {
                _logger.LogDebug("Server {Instance} refused {Method} with code {Code}.", _target.InstanceName, method, message.Outline.ErrorCode);
            }
        }
    }

    /// <summary>
    /// One listening request that names all; when something is subscribed to or not any more, a new one takes its place before the
    /// old one ends.
    /// </summary>
    private async Task ListenModernAsync(UpstreamSession session)
    {
        UpstreamExchange? before = null;
        try
        {
            while (true)
            {
                var (uris, changed) = Wanted();
                using var turn = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, changed);
                _listened = uris;
                var exchange = await _upstream.PostAsync(session, Methods.Listen, name: null, ListenBody(session.NextId(), uris), _stop.Token);
                before?.Dispose();
                before = exchange;
                try
                {
                    await ReadAsync(session, exchange, turn.Token);
                    return;
                }
                catch (OperationCanceledException) when (changed.IsCancellationRequested && !_stop.IsCancellationRequested)
                {
                    // Listen anew, for what is wanted now.
                }
            }
        }
        finally
        {
            before?.Dispose();
        }
    }

    private static ReadOnlyMemory<byte> ListenBody(long id, string[] uris) => RpcBody.Build(id, Methods.Listen, json =>
    {
        json.WriteStartObject("notifications"u8);
        json.WriteBoolean("toolsListChanged"u8, true);
        json.WriteBoolean("promptsListChanged"u8, true);
        json.WriteBoolean("resourcesListChanged"u8, true);
        if (uris.Length > 0)
        {
            json.WriteStartArray("resourceSubscriptions"u8);
            foreach (var uri in uris)
            {
                json.WriteStringValue(uri);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
        RpcBody.WriteModernMeta(json);
    });

    private async Task ReadAsync(UpstreamSession session, UpstreamExchange stream, CancellationToken ct)
    {
        if (stream.Status >= 300)
        {
            throw stream.RefusalByStatus;
        }

        await foreach (var message in stream.ReadAsync(id: null, ct))
        {
            switch (message.Outline.Kind)
            {
                case MessageKind.Notification:
                    await HearAsync(message);
                    break;
                case MessageKind.Request:
                    await AnswerAsync(session, message, ct);
                    break;
                default:
                    // The end of a modern server's stream.
                    return;
            }
        }
    }

    private async Task HearAsync(UpstreamMessage message)
    {
        switch (message.Outline.Method)
        {
            case Methods.ResourceUpdated when message.Outline.Params.Exists:
                using (var parameters = JsonDocument.Parse(message.Outline.Params.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message }))
                {
                    if (parameters.RootElement.TryGetProperty("uri", out var uri) && uri.ValueKind == JsonValueKind.String)
                    {
                        Tell(uri.GetString()!);
                    }
                }

                break;
            case Methods.ToolsListChanged or Methods.PromptsListChanged or Methods.ResourcesListChanged:
                await _listChanged(_target.InstanceId);
                break;
            case Methods.Acknowledged:
                Establish(_listened);
                break;
            default:
                break;
        }
    }

    /// <summary>The server has heard of these, and that somebody listens at all.</summary>
    private void Establish(string[] uris)
    {
        lock (_lock)
        {
            foreach (var subscription in _subscriptions.Where(s => s.Uri is null || uris.Contains(s.Uri, StringComparer.Ordinal)))
            {
                subscription.Establish();
            }
        }
    }

    private void Tell(string uri)
    {
        Subscription[] told;
        lock (_lock)
        {
            told = [.. _subscriptions.Where(s => string.Equals(s.Uri, uri, StringComparison.Ordinal))];
        }

        foreach (var subscription in told)
        {
            subscription.Updated();
        }
    }

    /// <summary>Behind a stream that many share stands nobody who could be asked; behind a caller's own, the call that runs.</summary>
    private Task AnswerAsync(UpstreamSession session, UpstreamMessage request, CancellationToken ct)
    {
        if (session.TryAnswer(request))
        {
            return Task.CompletedTask;
        }

        var id = Encoding.UTF8.GetString(request.Outline.Id.Of(request.Bytes.Span));
        var answer = request.Outline.Method == Methods.Ping
            ? $$"""{"jsonrpc":"2.0","id":{{id}},"result":{} }"""
            : $$"""{"jsonrpc":"2.0","id":{{id}},"error":{"code":-32601,"message":"Method not found"} }""";
        return _upstream.TellAsync(session, request.Outline.Method, Encoding.UTF8.GetBytes(answer), ct);
    }

    private async Task UntilAsync(CancellationToken changed, CancellationToken ct)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(changed, ct);
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, _time, either.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            // Changed.
        }
    }

    private async Task PauseAsync(TimeSpan wait)
    {
        try
        {
            await Task.Delay(wait, _time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // Nobody listens any more.
        }
    }

    private async Task CloseAsync(UpstreamSession? session)
    {
        if (session is not null && _owns)
        {
            await _upstream.CloseAsync(session, CancellationToken.None);
        }
    }
}
