using System.Collections.Concurrent;
using Weir.Dtma.State;

namespace Weir.Dtma.Bridge;

/// <summary>
/// <c>share: session</c>: each session has its own child, initialized with the client's own words. So the child may ask its client:
/// elicitation, sampling and roots work.
/// </summary>
internal sealed class ChildPerSession : ISessionHost
{
    /// <summary>Children that may start at one time: a start costs much more than a call.</summary>
    private readonly SemaphoreSlim _starts = new(4);
    private readonly Func<ServerMessageHandler, ChildConnection> _start;
    private readonly BridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<InstanceFailure?> _onStart;
    private readonly SessionTable _sessions;
    private readonly ConcurrentDictionary<Task<bool>, byte> _ending = new();
    private int _children;
    private volatile bool _ended;

    /// <param name="onStart">Told the outcome of each start: null is success.</param>
    public ChildPerSession(
        Func<ServerMessageHandler, ChildConnection> start, BridgeOptions options, ByteBudget budget, TimeProvider time, Action<InstanceFailure?> onStart)
    {
        Budget = budget;
        _start = start;
        _options = options;
        _time = time;
        _onStart = onStart;
        _sessions = new SessionTable(options.SessionIdle, time, Close);
    }

    public ByteBudget Budget { get; }

    /// <summary>Starts a child for nobody, shakes hands with it and ends it.</summary>
    public async Task ProbeAsync(CancellationToken cancellation)
    {
        var child = _start((_, _, _) => { });
        try
        {
            await Handshake.RunAsync(child, _options.HandshakeTimeout, cancellation);
        }
        finally
        {
            await child.EndAsync();
        }
    }

    public async Task<Opened> OpenAsync(Envelope envelope, byte[] message, CancellationToken cancellation)
    {
        if (!await TryTakePlaceAsync(cancellation))
        {
            return new Opened(null, Refusal(envelope, message, "This server instance has as many sessions as it can hold.", "session_limit"), 503);
        }

        var session = await StartChildAsync(cancellation);
        return await InitializeAsync(session, envelope, message, cancellation);
    }

    public Session? Find(string sessionId) => _sessions.Find(sessionId);

    public void Close(Session session)
    {
        if (_sessions.Remove(session))
        {
            session.End();
            End(session.Child);
        }
    }

    public byte[]? AnswerLocally(Session session, in Envelope envelope, ReadOnlySpan<byte> message) => envelope.Method == "initialize"
        ? JsonRpc.Error(message[envelope.Id], JsonRpc.InvalidRequest, "The session is initialized already.")
        : null;

    public void Take(Session session, in Envelope envelope, byte[] message)
    {
        if (envelope.Kind == MessageKind.Response)
        {
            session.Answer(envelope, message);
        }
        else if (envelope.Method == "notifications/cancelled")
        {
            session.Cancel(envelope, message);
        }
        else
        {
            session.Child.Send(message);
        }
    }

    public async Task<bool> EndAsync()
    {
        _ended = true;
        _sessions.Dispose();
        foreach (var session in _sessions.All)
        {
            Close(session);
        }

        var gone = await Task.WhenAll(_ending.Keys);
        return Array.TrueForAll(gone, g => g);
    }

    /// <summary>The place that was taken is given back when the child has ended, or did not start.</summary>
    private async Task<Session> StartChildAsync(CancellationToken cancellation)
    {
        try
        {
            await _starts.WaitAsync(cancellation);
            try
            {
                Session? session = null;
                var child = _start((c, e, m) => OnServerMessage(session, c, e, m));
                session = new Session(SessionTable.NewId(), child, new ByteBudget(_options.SessionBytes, Budget), _time);
                _ = CloseWithChildAsync(session);
                return session;
            }
            finally
            {
                _starts.Release();
            }
        }
        catch
        {
            Interlocked.Decrement(ref _children);
            throw;
        }
    }

    private async Task<Opened> InitializeAsync(Session session, Envelope envelope, byte[] message, CancellationToken cancellation)
    {
        var child = session.Child;
        var call = child.Call(envelope, message);
        using var limit = new CancellationTokenSource(_options.HandshakeTimeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        byte[] response;
        try
        {
            response = await call.FinalAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            End(child);
            cancellation.ThrowIfCancellationRequested();
            _onStart(new InstanceFailure(Weir.Nodes.NodeErrors.HandshakeFailed, "A session's server did not answer initialize in time."));
            return new Opened(null, Refusal(envelope, message, "The server did not answer initialize in time.", "timeout"), 503);
        }

        if (!child.IsOpen)
        {
            _onStart(new InstanceFailure(Weir.Nodes.NodeErrors.ChildExited, "A session's server ended before it answered initialize."));
            End(child);
            return new Opened(null, response, StatusCodes.Status503ServiceUnavailable);
        }

        if (response.Length > Handshake.ResultLimit)
        {
            End(child);
            var tooLong = $"The server's answer to initialize is longer than {Handshake.ResultLimit >> 10} KiB.";
            return new Opened(null, Refusal(envelope, message, tooLong, "too_large"));
        }

        if (Envelope.TryParse(response, out var answer, out _) && answer.IsError)
        {
            End(child); // The client's own fault, most likely: the server runs, and says what it does not like.
            return new Opened(null, response);
        }

        _onStart(null);
        _sessions.Add(session);
        if (_ended || !child.IsOpen)
        {
            Close(session);
        }

        return new Opened(session, response);
    }

    /// <summary>False when the instance is full, and nobody in it has been idle for long enough.</summary>
    private async Task<bool> TryTakePlaceAsync(CancellationToken cancellation)
    {
        if (TryTakePlace())
        {
            return true;
        }

        if (_ended || _sessions.LongestIdle(_options.SessionSpare) is not { } spare)
        {
            return false;
        }

        Close(spare);
        await spare.Child.EndAsync().WaitAsync(cancellation);
        return TryTakePlace();
    }

    private bool TryTakePlace()
    {
        if (Interlocked.Increment(ref _children) <= _options.SessionChildren && !_ended)
        {
            return true;
        }

        Interlocked.Decrement(ref _children);
        return false;
    }

    private async Task CloseWithChildAsync(Session session)
    {
        await session.Child.Closed;
        _sessions.Remove(session);
        session.End();
        End(session.Child);
        await session.Child.Exited;
        Interlocked.Decrement(ref _children);
    }

    private void End(ChildConnection child)
    {
        var end = child.EndAsync();
        _ending[end] = 0;
        _ = end.ContinueWith(t => _ending.TryRemove(t, out _), TaskScheduler.Default);
    }

    private static void OnServerMessage(Session? session, ChildConnection child, Envelope envelope, byte[] message)
    {
        if (envelope.Kind == MessageKind.Request)
        {
            if (session?.Ask(envelope, message) != true)
            {
                var id = message.AsSpan()[envelope.Id];
                child.Send(JsonRpc.Error(id, JsonRpc.InternalError, "The client has too many requests to answer already.", "busy"));
            }
        }
        else if (envelope.Method == "notifications/cancelled")
        {
            session?.Withdraw(envelope, message);
        }
        else
        {
            session?.Notify(message, toCall: envelope.Method == "notifications/message");
        }
    }

    private static byte[] Refusal(Envelope envelope, byte[] message, string text, string mark) =>
        JsonRpc.Error(message.AsSpan()[envelope.Id], JsonRpc.InternalError, text, mark);
}
