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
    private readonly List<Action<UpstreamMessage>> _answering = [];
    private IDisposable? _stream;
    private long _lastId = 1;

    public UpstreamTarget Target { get; } = target;

    public string Version { get; } = version;

    /// <summary>Null from a modern server, and from a legacy one that keeps none.</summary>
    public string? SessionId { get; } = sessionId;

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

    /// <summary>Whether the server declared the capability, e.g. <c>logging</c>, or a member of it, e.g. <c>resources.subscribe</c>.</summary>
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

    /// <summary>Ends what was kept.</summary>
    public void Release()
    {
        IDisposable? stream;
        lock (_lock)
        {
            (stream, _stream) = (_stream, null);
        }

        stream?.Dispose();
    }

    /// <summary>Puts what the server asks on the session's own stream to a call's client until it is disposed. Only where all calls are one caller's.</summary>
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
}
