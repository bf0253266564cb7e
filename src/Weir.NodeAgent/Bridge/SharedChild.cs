using System.Text;
using Weir.NodeAgent.State;

namespace Weir.NodeAgent.Bridge;

/// <summary>
/// <c>share: instance</c>: one child for all sessions, initialized once by the node. Clients get the child's own initialize result.
/// On one channel nobody can tell for whom the child asks or logs, so its requests are refused and its log stays in the instance's log.
/// </summary>
internal sealed class SharedChild : ISessionHost
{
    private const int LongestUri = 8 * 1024;

    /// <summary>What a subscription costs beside its address, and each session that has it.</summary>
    private const int SubscriptionOverhead = 256;
    private const int SubscriberCost = 64;

    private readonly BridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly InstanceLog _log;
    private readonly SessionTable _sessions;
    private readonly Dictionary<string, HashSet<Session>> _subscribers = new(StringComparer.Ordinal);
    private readonly Lock _subscribersLock = new();
    private readonly ByteBudget _subscriptions;
    private byte[] _initializeResult = [];

    public SharedChild(
        Func<ServerMessageHandler, ChildConnection> start, BridgeOptions options, ByteBudget budget, InstanceLog log, TimeProvider time)
    {
        Budget = budget;
        _subscriptions = new ByteBudget(options.SubscriptionBytes, budget);
        _options = options;
        _time = time;
        _log = log;
        _sessions = new SessionTable(options.SessionIdle, time, Close);
        Child = start(OnServerMessage);
    }

    public ByteBudget Budget { get; }

    public ChildConnection Child { get; }

    /// <param name="phase">Told how far it has come.</param>
    public async Task InitializeAsync(Action<string> phase, CancellationToken cancellation) =>
        _initializeResult = await Handshake.RunAsync(Child, _options.HandshakeTimeout, phase, _time, cancellation);

    public Task<Opened> OpenAsync(MessageParts parts, byte[] message, CancellationToken cancellation)
    {
        if (_sessions.Count >= _options.SharedSessions)
        {
            if (_sessions.LongestIdle(_options.SessionSpare) is not { } spare)
            {
                var full = $"{_options.SharedSessions} sessions of this server are open, the most that the node's shared-sessions allows.";
                _log.Write("node", $"session_limit: {full} None has been unused for {_options.SessionSpare.TotalSeconds:0} s.");
                return Task.FromResult(Opened.Refuse(parts, message, full, "session_limit", _sessions.UntilSpare(_options.SessionSpare)));
            }

            Close(spare);
        }

        var session = new Session(SessionTable.NewId(), Child, new ByteBudget(_options.SessionBytes, Budget), _time);
        _sessions.Add(session);
        return Task.FromResult(new Opened(session, JsonRpc.Result(message.AsSpan()[parts.Id], _initializeResult)));
    }

    public Session? Find(string sessionId) => _sessions.Find(sessionId);

    public void Close(Session session)
    {
        _sessions.Remove(session);
        session.End();
        lock (_subscribersLock)
        {
            foreach (var (uri, subscribers) in _subscribers.Where(s => s.Value.Contains(session)).ToArray())
            {
                Leave(uri, subscribers, session);
            }
        }
    }

    public byte[]? AnswerLocally(Session session, in MessageParts parts, ReadOnlySpan<byte> message)
    {
        switch (parts.Method)
        {
            case "initialize":
                return JsonRpc.Error(message[parts.Id], JsonRpc.InvalidRequest, "The session is initialized already.");
            // One caller's level would be everybody's, and the messages go to none of them.
            case "logging/setLevel":
                return JsonRpc.Result(message[parts.Id], "{}"u8);
            case "resources/subscribe" when message[parts.Uri].Length > LongestUri:
                return JsonRpc.Error(
                    message[parts.Id], JsonRpc.InvalidRequest, $"The URI is longer than {LongestUri >> 10} KiB.", "too_large");
            case "resources/subscribe" when MessageParts.IsSet(parts.Uri):
                return TryJoin(Encoding.UTF8.GetString(message[parts.Uri]), session)
                    ? null
                    : JsonRpc.Error(message[parts.Id], JsonRpc.InternalError, "Too many resources are subscribed to.", "busy");
            case "resources/unsubscribe" when MessageParts.IsSet(parts.Uri):
                return LeavesOthers(Encoding.UTF8.GetString(message[parts.Uri]), session)
                    ? JsonRpc.Result(message[parts.Id], "{}"u8) : null;
            default:
                return null;
        }
    }

    public void Take(Session session, in MessageParts parts, byte[] message)
    {
        // Of what a client says unasked, only a cancellation concerns one call and nobody else.
        if (parts is { Kind: MessageKind.Notification, Method: "notifications/cancelled" })
        {
            session.Cancel(parts, message);
        }
    }

    public async Task<bool> EndAsync()
    {
        _sessions.Dispose();
        foreach (var session in _sessions.All)
        {
            _sessions.Remove(session);
            session.End();
        }

        _subscriptions.Close();
        return await Child.EndAsync();
    }

    private void OnServerMessage(ChildConnection child, MessageParts parts, byte[] message)
    {
        if (parts.Kind == MessageKind.Request)
        {
            var id = message.AsSpan()[parts.Id];
            child.Send(JsonRpc.Error(id, JsonRpc.MethodNotFound, $"{parts.Method} is not served where many sessions share one server."));
            return;
        }

        switch (parts.Method)
        {
            case "notifications/message":
                _log.Write("mcp", Encoding.UTF8.GetString(message.AsSpan(0, Math.Min(message.Length, InstanceLog.LineLimit))));
                break;
            case "notifications/cancelled":
                break;
            case "notifications/resources/updated" when MessageParts.IsSet(parts.Uri):
                Notify(Subscribers(Encoding.UTF8.GetString(message.AsSpan()[parts.Uri])), message);
                break;
            default:
                Notify(_sessions.All, message);
                break;
        }
    }

    private static void Notify(IEnumerable<Session> sessions, byte[] message)
    {
        foreach (var session in sessions)
        {
            session.Notify(message, toCall: false);
        }
    }

    private Session[] Subscribers(string uri)
    {
        lock (_subscribersLock)
        {
            return _subscribers.TryGetValue(uri, out var subscribers) ? subscribers.ToArray() : [];
        }
    }

    private bool TryJoin(string uri, Session session)
    {
        lock (_subscribersLock)
        {
            var isKnown = _subscribers.TryGetValue(uri, out var subscribers);
            if (isKnown && subscribers!.Contains(session))
            {
                return true;
            }

            if (!_subscriptions.TryTake(SubscriberCost + (isKnown ? 0 : CostOf(uri))))
            {
                return false;
            }

            if (!isKnown)
            {
                _subscribers.Add(uri, subscribers = []);
            }

            subscribers!.Add(session);
            return true;
        }
    }

    /// <summary>Takes the session off the list; true when others stay on it, for whom the child must go on.</summary>
    private bool LeavesOthers(string uri, Session session)
    {
        lock (_subscribersLock)
        {
            if (!_subscribers.TryGetValue(uri, out var subscribers))
            {
                return false;
            }

            Remove(uri, subscribers, session);
            return subscribers.Count > 0;
        }
    }

    private void Leave(string uri, HashSet<Session> subscribers, Session session)
    {
        Remove(uri, subscribers, session);
        if (subscribers.Count == 0)
        {
            _ = Child.AskAsync("resources/unsubscribe", $$"""{"uri":{{uri}}}""", _options.HandshakeTimeout, CancellationToken.None);
        }
    }

    private void Remove(string uri, HashSet<Session> subscribers, Session session)
    {
        _subscriptions.Return(subscribers.Remove(session) ? SubscriberCost : 0);
        if (subscribers.Count == 0 && _subscribers.Remove(uri))
        {
            _subscriptions.Return(CostOf(uri));
        }
    }

    private static int CostOf(string uri) => SubscriptionOverhead + (2 * uri.Length);
}
