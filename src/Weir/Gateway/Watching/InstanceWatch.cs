using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.Watching;

/// <summary>The stream of one server, in its era, kept open and opened again as long as it has subscribers.</summary>
internal sealed class InstanceWatch
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>A session of the watch's own is opened at most as often.</summary>
    private static readonly TimeSpan ReopenWait = TimeSpan.FromSeconds(5);

    private readonly WatchedSession _session;
    private readonly UpstreamClient _upstream;
    private readonly Func<Guid, Task> _listChanged;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<Subscription> _subscriptions = [];

    /// <summary>Ends when what is subscribed to has changed.</summary>
    private CancellationTokenSource _changed = new();
    private UpstreamTarget _target;

    /// <summary>Ends when the instance was restarted or updated.</summary>
    private CancellationTokenSource _reset = new();
    private Task? _loop;

    /// <summary>What the modern server's stream that is being read names.</summary>
    private string[] _listened = [];

    public InstanceWatch(
        UpstreamTarget target, WatchedSession session, UpstreamClient upstream, Func<Guid, Task> listChanged, TimeProvider time,
        ILogger logger) =>
        (_target, _session, _upstream, _listChanged, _time, _logger) = (target, session, upstream, listChanged, time, logger);

    /// <summary>The instance was restarted or updated: it is listened to anew, where it is now.</summary>
    public void Reset(UpstreamTarget target)
    {
        CancellationTokenSource before;
        lock (_lock)
        {
            if (target.Resets <= _target.Resets)
            {
                return;
            }

            (_target, before, _reset) = (target, _reset, new CancellationTokenSource());
        }

        before.Cancel();
    }

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
        UpstreamSession? session = null;
        while (!_stop.IsCancellationRequested)
        {
            var (target, reset) = Now();
            using var turn = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, reset);
            try
            {
                session = _session.IsOwn && session is not null ? session : await _session.OpenAsync(target, turn.Token);
                using var alive = CancellationTokenSource.CreateLinkedTokenSource(turn.Token, session.Retired);
                await (session.IsModern ? ListenModernAsync(session, alive.Token) : ListenLegacyAsync(session, alive.Token));
                wait = FirstWait;
            }
            catch (Exception e) when (e is UpstreamException or OperationCanceledException or JsonException or IOException)
            {
                _logger.LogDebug(e, "The stream of server {Instance} ended.", target.InstanceName);
                if (session is not null && (_session.IsOwn || await _session.IsLostAsync(session, e, _stop.Token)))
                {
                    await _session.EndAsync(session);
                    session = null;
                    wait = _session.IsOwn && wait < ReopenWait ? ReopenWait : wait;
                }
            }

            // Whoever still waits waits for the next stream, which may be long in coming.
            Establish(Wanted().Uris);

            await PauseAsync(wait, turn.Token);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }

        if (session is not null && _session.IsOwn)
        {
            await _session.EndAsync(session);
        }
    }

    private (UpstreamTarget Target, CancellationToken Reset) Now()
    {
        lock (_lock)
        {
            return (_target, _reset.Token);
        }
    }

    /// <summary>One GET stream, and a request for each resource that is subscribed to.</summary>
    private async Task ListenLegacyAsync(UpstreamSession session, CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct);
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
        try
        {
            using var request = await _upstream.PostAsync(session, method, name: null, body, ct);
            await foreach (var message in request.ReadAsync(id, ct))
            {
                if (SessionLoss.IsSaidBy(message, session))
                {
                    throw SessionLoss.Lost(request.Status, isRefused: true);
                }

                if (message.Fields.Error.Exists)
                {
                    _logger.LogDebug(
                        "Server {Instance} refused {Method} with code {Code}.", _target.InstanceName, method, message.Fields.ErrorCode);
                }
            }
        }
        catch (UpstreamException e) when (e.Cause is not (FailureCause.ProtocolError or FailureCause.TooLarge)
            && e.Failure == UpstreamFailure.Nonsense)
        {
            _logger.LogDebug(e, "Server {Instance} refused {Method}.", _target.InstanceName, method);
        }
    }

    /// <summary>
    /// One listening request that names all; when something is subscribed to or not any more, a new one takes its place before the
    /// old one ends.
    /// </summary>
    private async Task ListenModernAsync(UpstreamSession session, CancellationToken ct)
    {
        UpstreamRequest? before = null;
        try
        {
            while (true)
            {
                var (uris, changed) = Wanted();
                using var turn = CancellationTokenSource.CreateLinkedTokenSource(ct, changed);
                _listened = uris;
                var request =
                    await _upstream.PostAsync(session, Methods.Listen, name: null, ListenRequest.Build(session.NextId(), uris), ct);
                before?.Dispose();
                before = request;
                try
                {
                    await ReadAsync(session, request, turn.Token);
                    return;
                }
                catch (OperationCanceledException) when (changed.IsCancellationRequested && !ct.IsCancellationRequested)
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

    private async Task ReadAsync(UpstreamSession session, UpstreamRequest stream, CancellationToken ct)
    {
        if (stream.Status >= 300)
        {
            throw stream.RefusalByStatus;
        }

        await foreach (var message in stream.ReadAsync(id: null, ct))
        {
            switch (message.Fields.Kind)
            {
                case MessageKind.Notification:
                    await HandleNotificationAsync(message);
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

    private async Task HandleNotificationAsync(UpstreamMessage message)
    {
        switch (message.Fields.Method)
        {
            case Methods.ResourceUpdated when message.Fields.Params.Exists:
                using (var parameters =
                    JsonDocument.Parse(message.Fields.Params.Of(message.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message }))
                {
                    if (parameters.RootElement.TryGetProperty("uri", out var uri) && uri.ValueKind == JsonValueKind.String)
                    {
                        Emit(uri.GetString()!);
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

    private void Emit(string uri)
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

        var id = Encoding.UTF8.GetString(request.Fields.Id.Of(request.Bytes.Span));
        var answer = request.Fields.Method == Methods.Ping
            ? $$"""{"jsonrpc":"2.0","id":{{id}},"result":{} }"""
            : $$"""{"jsonrpc":"2.0","id":{{id}},"error":{"code":-32601,"message":"Method not found"} }""";
        return _upstream.NotifyAsync(session, request.Fields.Method, Encoding.UTF8.GetBytes(answer), ct);
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

    private async Task PauseAsync(TimeSpan wait, CancellationToken ct)
    {
        try
        {
            await Task.Delay(wait, _time, ct);
        }
        catch (OperationCanceledException)
        {
            // Nobody listens any more, or it is listened to anew at once.
        }
    }
}
