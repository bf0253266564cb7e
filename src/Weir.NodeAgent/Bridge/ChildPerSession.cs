using System.Collections.Concurrent;
using Weir.NodeAgent.State;

namespace Weir.NodeAgent.Bridge;

/// <summary>
/// <c>share: session</c>: each session has its own child, initialized with the client's own words. So the child may ask its client:
/// elicitation, sampling and roots work.
/// </summary>
internal sealed class ChildPerSession : ISessionHost
{
    /// <summary>What the kernel may take to end a child that was killed.</summary>
    private static readonly TimeSpan UntilKilled = TimeSpan.FromSeconds(1);

    /// <summary>Children that may start at one time: a start costs much more than a call.</summary>
    private readonly SemaphoreSlim _starts = new(4);

    /// <summary>One for each child that may run. It is given back when the child has ended, or did not start.</summary>
    private readonly SemaphoreSlim _permits;
    private readonly Func<ServerMessageHandler, ChildConnection> _start;
    private readonly BridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<InstanceFailure?> _onStart;
    private readonly InstanceLog _log;
    private readonly SessionTable _sessions;
    private readonly ConcurrentDictionary<Task<bool>, byte> _ending = new();
    private readonly ConcurrentDictionary<ChildConnection, byte> _alive = new();
    private readonly Lock _startLock = new();
    private bool _ended;

    /// <param name="onStart">Told the outcome of each start: null is success.</param>
    public ChildPerSession(
        Func<ServerMessageHandler, ChildConnection> start, BridgeOptions options, ByteBudget budget, InstanceLog log, TimeProvider time,
        Action<InstanceFailure?> onStart)
    {
        Budget = budget;
        _log = log;
        _permits = new SemaphoreSlim(options.SessionChildren);
        _start = start;
        _options = options;
        _time = time;
        _onStart = onStart;
        _sessions = new SessionTable(options.SessionIdle, time, Close);
    }

    public ByteBudget Budget { get; }

    /// <summary>Sessions whose server has answered, and runs.</summary>
    public int Count => _sessions.Count;

    /// <summary>Starts a child for nobody, shakes hands with it and ends it.</summary>
    /// <param name="phase">Told how far it has come.</param>
    public async Task ProbeAsync(Action<string> phase, CancellationToken cancellation)
    {
        var child = _start((_, _, _) => { });
        try
        {
            await Handshake.RunAsync(child, _options.HandshakeTimeout, phase, _time, cancellation);
        }
        finally
        {
            await child.EndAsync();
        }
    }

    public async Task<Opened> OpenAsync(MessageParts parts, byte[] message, CancellationToken cancellation)
    {
        if (!await TryTakePlaceAsync(cancellation))
        {
            var full =
                $"{_options.SessionChildren} sessions of this server are open, the most that its max_sessions or the node's "
                    + "session-children allows.";
            _log.Write("node", $"session_limit: {full} None has been unused for {_options.SessionSpare.TotalSeconds:0} s.");
            return Opened.Refuse(parts, message, full, "session_limit", _sessions.UntilSpare(_options.SessionSpare));
        }

        Session session;
        try
        {
            session = await StartChildAsync(cancellation);
        }
        catch (ObjectDisposedException)
        {
            return Opened.Refuse(parts, message, "The server instance is being ended.", "unavailable");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            _log.Write("node", e.Message);
            NoteFailure(Weir.Nodes.NodeErrors.StartFailed, "A session's server could not be started; the server's log says why.");
            return Opened.Refuse(parts, message, "The session's server could not be started.", "start_failed");
        }

        return await InitializeAsync(session, parts, message, cancellation);
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

    public byte[]? AnswerLocally(Session session, in MessageParts parts, ReadOnlySpan<byte> message) => parts.Method == "initialize"
        ? JsonRpc.Error(message[parts.Id], JsonRpc.InvalidRequest, "The session is initialized already.")
        : null;

    public void Take(Session session, in MessageParts parts, byte[] message)
    {
        if (parts.Kind == MessageKind.Response)
        {
            session.Answer(parts, message);
        }
        else if (parts.Method == "notifications/cancelled")
        {
            session.Cancel(parts, message);
        }
        else
        {
            session.Child.Send(message);
        }
    }

    public async Task<bool> EndAsync()
    {
        lock (_startLock)
        {
            // None is started from now on, and all that were are known.
            _ended = true;
        }

        _sessions.Dispose();
        foreach (var session in _sessions.All)
        {
            Close(session);
        }

        foreach (var child in _alive.Keys)
        {
            End(child);
        }

        var gone = await Task.WhenAll(_ending.Keys);
        return Array.TrueForAll(gone, g => g);
    }

    private async Task<Session> StartChildAsync(CancellationToken cancellation)
    {
        try
        {
            await _starts.WaitAsync(cancellation);
            try
            {
                Session? session = null;
                var child = Start((c, e, m) => OnServerMessage(session, c, e, m));
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
            _permits.Release();
            throw;
        }
    }

    /// <exception cref="ObjectDisposedException">The instance is being ended.</exception>
    private ChildConnection Start(ServerMessageHandler handler)
    {
        lock (_startLock)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            var child = _start(handler);
            _alive[child] = 0;
            return child;
        }
    }

    private async Task<Opened> InitializeAsync(Session session, MessageParts parts, byte[] message, CancellationToken cancellation)
    {
        var child = session.Child;
        var call = child.Call(parts, message);
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
            NoteFailure(Weir.Nodes.NodeErrors.HandshakeTimedOut,
                $"A session's server did not answer initialize within {_options.HandshakeTimeout.TotalSeconds:0} s.");
            return Opened.Refuse(parts, message, "The server did not answer initialize in time.", "timeout");
        }

        if (!child.IsOpen)
        {
            NoteFailure(Weir.Nodes.NodeErrors.ChildExited, $"A session's server ended before it answered initialize; {Count} others run.");
            End(child);
            return new Opened(null, response, StatusCodes.Status503ServiceUnavailable);
        }

        if (response.Length > Handshake.ResultLimit)
        {
            End(child);
            var tooLong = $"The server's answer to initialize is longer than {Handshake.ResultLimit >> 10} KiB.";
            return new Opened(null, JsonRpc.Error(message.AsSpan()[parts.Id], JsonRpc.InternalError, tooLong, "too_large"));
        }

        if (MessageParts.TryParse(response, out var answer, out _) && answer.IsError)
        {
            End(child); // The client's own fault, most likely: the server runs, and says what it does not like.
            return new Opened(null, response);
        }

        _onStart(null);
        _sessions.Add(session);
        if (!child.IsOpen || !_alive.ContainsKey(child))
        {
            Close(session);
        }

        return new Opened(session, response);
    }

    /// <summary>False when the instance is full, and nobody in it has been idle for long enough.</summary>
    private async Task<bool> TryTakePlaceAsync(CancellationToken cancellation)
    {
        if (_permits.Wait(0, CancellationToken.None))
        {
            return true;
        }

        if (_sessions.LongestIdle(_options.SessionSpare) is { } spare)
        {
            Close(spare);
        }

        // A child that is being ended has its place until it is gone.
        using var limit = new CancellationTokenSource(_ending.IsEmpty ? TimeSpan.Zero : (2 * _options.EndGrace) + UntilKilled, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await _permits.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task CloseWithChildAsync(Session session)
    {
        await session.Child.Closed;
        _sessions.Remove(session);
        session.End();
        End(session.Child);
        await session.Child.Exited;
        _alive.TryRemove(session.Child, out _);
        _permits.Release();
    }

    private void End(ChildConnection child)
    {
        var end = child.EndAsync();
        _ending[end] = 0;
        _ = end.ContinueWith(t => _ending.TryRemove(t, out _), TaskScheduler.Default);
    }

    private static void OnServerMessage(Session? session, ChildConnection child, MessageParts parts, byte[] message)
    {
        if (parts.Kind == MessageKind.Request)
        {
            if (session?.Ask(parts, message) != true)
            {
                var id = message.AsSpan()[parts.Id];
                child.Send(JsonRpc.Error(id, JsonRpc.InternalError, "The client has too many requests to answer already.", "busy"));
            }
        }
        else if (parts.Method == "notifications/cancelled")
        {
            session?.Withdraw(parts, message);
        }
        else
        {
            session?.Notify(message, toCall: parts.Method == "notifications/message");
        }
    }

    private void NoteFailure(string code, string message)
    {
        var failure = new InstanceFailure(code, message);
        _log.Write("node", $"{failure.Code}: {failure.Message}");
        _onStart(failure);
    }
}
