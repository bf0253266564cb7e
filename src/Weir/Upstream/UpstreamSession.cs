using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>
/// What Weir agreed with a server: the era, the version and, from a legacy one, the session. Ids are this session's own, so
/// that no two calls in flight share one, whoever made them.
/// </summary>
internal sealed class UpstreamSession(
    UpstreamTarget target, string version, string? sessionId, byte[] serverInfo, byte[] capabilities,
    ClientCapabilities offered, SseConnection? sse = null)
{
    /// <summary>What a server says of itself is kept as long as the session: more than this many bytes is not kept.</summary>
    private const int MaxDescription = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _retired = new();
    private readonly List<Action<UpstreamMessage>> _answering = [];
    private IDisposable? _stream;
    private Action? _whenUnused;
    private int _uses;
    private long _lastId = 1;

    public UpstreamTarget Target { get; } = target;

    public string Version { get; } = version;

    /// <summary>Null from a modern server, and from a legacy one that keeps none.</summary>
    public string? SessionId { get; } = sessionId;

    /// <summary>
    /// Whether its requests name a session, which the server may lose: by a header, or by the address that its stream said.
    /// </summary>
    public bool CarriesId => SessionId is not null || Sse is not null;

    /// <summary>Ends when the session was given up. Calls in flight on it end with it.</summary>
    public CancellationToken Retired => _retired.Token;

    /// <summary>Whether it is of no use any more: it was given up, or its stream has ended.</summary>
    public bool IsRetired => _retired.IsCancellationRequested || Sse is { IsClosed: true };

    public bool IsModern => string.Equals(Version, Protocol.Modern, StringComparison.Ordinal);

    /// <summary>The server's own description of itself, JSON.</summary>
    public byte[] ServerInfo { get; } = serverInfo.Length <= MaxDescription ? serverInfo : "{}"u8.ToArray();

    /// <summary>The server's capabilities, JSON.</summary>
    public byte[] Capabilities { get; } = capabilities.Length <= MaxDescription ? capabilities : "{}"u8.ToArray();

    /// <summary>What Weir offered for its clients: to a legacy server once and for all; a modern one is told with each request.</summary>
    public ClientCapabilities Offered { get; } = offered;

    /// <summary>The stream of a server of 2024-11-05; null of every other.</summary>
    public SseConnection? Sse { get; } = sse;

    /// <summary>From which level on a legacy server was asked to send log messages; null: it was not asked.</summary>
    public string? LogLevel { get; set; }

    /// <summary>Ticks of the last use, for the sweep of idle sessions.</summary>
    public long LastUsed { get; set; }

    /// <summary>
    /// When the client that had a stream open went away, in ticks; zero while it is there, or where it never had a stream.
    /// </summary>
    public long LetGoAt { get; set; }

    /// <summary>
    /// Whether the server declared the capability, e.g. <c>logging</c>, or a member of it, e.g. <c>resources.subscribe</c>.
    /// </summary>
    public bool Declares(string capability, string? member = null)
    {
        var declared = JsonElement.Parse(Capabilities, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return declared.ValueKind == JsonValueKind.Object
            && declared.TryGetProperty(capability, out var value)
            && (member is null || (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(member, out var flag)
                && flag.ValueKind == JsonValueKind.True));
    }

    public long NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>What listens to the session's own stream, opened once and kept as long as the session.</summary>
    public T Keep<T>(Func<T> open)
        where T : class, IDisposable
    {
        lock (_lock)
        {
            return (T)(_stream ??= open());
        }
    }

    /// <summary>Gives it up, with all that runs on it. The server is not told.</summary>
    public void Retire()
    {
        _ = _retired.CancelAsync();
        Sse?.Dispose();
        IDisposable? stream;
        lock (_lock)
        {
            (stream, _stream) = (_stream, null);
        }

        stream?.Dispose();
    }

    /// <summary>Whether calls are in flight on it.</summary>
    public bool IsInUse
    {
        get
        {
            lock (_lock)
            {
                return _uses > 0;
            }
        }
    }

    /// <summary>Counts a call as in flight until it is disposed.</summary>
    public IDisposable Use()
    {
        lock (_lock)
        {
            _uses++;
        }

        return new InUse(this);
    }

    /// <summary>Acts when no call is in flight any more, once; at once where none is.</summary>
    public void WhenUnused(Action act)
    {
        lock (_lock)
        {
            if (_uses > 0)
            {
                _whenUnused = act;
                return;
            }
        }

        act();
    }

    /// <summary>
    /// Puts what the server asks on the session's own stream to a call's client until it is disposed. Only where all calls are one
    /// caller's.
    /// </summary>
    public IDisposable Answer(Action<UpstreamMessage> take)
    {
        lock (_lock)
        {
            _answering.Add(take);
        }

        return new Answering(this, take);
    }

    /// <summary>Hands a request of the server to the newest call that answers; false when none does.</summary>
    public bool TryAnswer(UpstreamMessage request)
    {
        Action<UpstreamMessage>? take;
        lock (_lock)
        {
            take = _answering.LastOrDefault();
        }

        take?.Invoke(request);
        return take is not null;
    }

    private sealed class Answering(UpstreamSession session, Action<UpstreamMessage> take) : IDisposable
    {
        public void Dispose()
        {
            lock (session._lock)
            {
                session._answering.Remove(take);
            }
        }
    }

    private sealed class InUse(UpstreamSession session) : IDisposable
    {
        public void Dispose()
        {
            Action? act = null;
            lock (session._lock)
            {
                if (--session._uses == 0)
                {
                    (act, session._whenUnused) = (session._whenUnused, null);
                }
            }

            act?.Invoke();
        }
    }
}
