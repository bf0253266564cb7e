using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Text;
using System.Threading.Channels;
using Weir.Dtma.Processes;
using Weir.Dtma.State;

namespace Weir.Dtma.Bridge;

/// <param name="message">A request or notification of the child's own, except pings and progress, which never come here.</param>
internal delegate void ServerMessageHandler(ChildConnection child, Envelope envelope, byte[] message);

/// <summary>
/// JSON-RPC with one child over its standard streams. Calls of many callers go side by side: each gets an id of this connection,
/// which is its progress token too, so that answers and progress find their way back whatever ids the callers chose.
/// </summary>
internal sealed class ChildConnection
{
    private const long OutgoingLimit = 64 * 1024 * 1024;
    private const int LogLineLimit = 8 * 1024;
    private const int SmallMessage = 64 * 1024;
    private static readonly TimeSpan SweepEvery = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(500);

    private readonly ChildProcess _process;
    private readonly InstanceLog _log;
    private readonly BridgeOptions _options;
    private readonly TimeProvider _time;
    private readonly ServerMessageHandler _onServerMessage;
    private readonly ConcurrentDictionary<long, PendingCall> _calls = new();
    private readonly Channel<byte[]> _outgoing = Channel.CreateUnbounded<byte[]>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ITimer _sweep;
    private readonly TaskCompletionSource _closedSource = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _endLock = new();
    private readonly Task _read;
    private Task<bool>? _end;
    private long _outgoingBytes;
    private long _lastId;
    private volatile bool _closed;

    public ChildConnection(ChildProcess process, InstanceLog log, BridgeOptions options, TimeProvider time, ServerMessageHandler onServerMessage)
    {
        _process = process;
        _log = log;
        _options = options;
        _time = time;
        _onServerMessage = onServerMessage;
        _sweep = time.CreateTimer(_ => EndOverdueCalls(), null, SweepEvery, SweepEvery);
        // From here on others call in.
        _ = LineReader.ReadAsync(process.Error, LogLineLimit, (line, _) => log.Write("stderr", Encoding.UTF8.GetString(line).TrimEnd('\r')));
        _ = WriteAsync();
        _read = ReadAsync();
        _ = EndWithProcessAsync();
    }

    /// <summary>When the child has closed its output: it has ended, or is of no more use.</summary>
    public Task Closed => _closedSource.Task;

    public Task<int> Exited => _process.Exited;

    public bool IsOpen => !_closed;

    /// <summary>Sends a request of a caller. Whatever goes wrong is the call's response.</summary>
    /// <param name="message">One line.</param>
    public PendingCall Call(in Envelope envelope, ReadOnlySpan<byte> message, Action<PendingCall>? completed = null)
    {
        var token = Envelope.IsSet(envelope.ProgressToken) ? message[envelope.ProgressToken].ToArray() : null;
        var call = Register(message[envelope.Id].ToArray(), token, completed);
        var id = Splice.Number(call.ChildId);
        Dispatch(call, token is null ? Splice.Replace(message, envelope.Id, id) : Splice.Replace(message, envelope.Id, envelope.ProgressToken, id));
        return call;
    }

    /// <summary>A request of the bridge's own; null when no answer came in time.</summary>
    public async Task<byte[]?> AskAsync(string method, string parameters, TimeSpan timeout, CancellationToken cancellation)
    {
        var call = Register("0"u8.ToArray(), token: null, completed: null);
        Dispatch(call, JsonRpc.Request(call.ChildId, method, parameters));
        using var limit = new CancellationTokenSource(timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            return await call.FinalAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            _calls.TryRemove(call.ChildId, out _);
            return null;
        }
    }

    /// <summary>Passes a cancellation on, in the child's terms.</summary>
    public void Cancel(PendingCall call, in Envelope envelope, ReadOnlySpan<byte> message) =>
        Send(Splice.Replace(message, envelope.RequestId, Splice.Number(call.ChildId)));

    /// <summary>False when the child has fallen so far behind that nothing more is kept for it.</summary>
    public bool Send(byte[] message)
    {
        if (Interlocked.Add(ref _outgoingBytes, message.Length) > OutgoingLimit)
        {
            Interlocked.Add(ref _outgoingBytes, -message.Length);
            return false;
        }

        return _outgoing.Writer.TryWrite(message);
    }

    /// <summary>False when the child could not be ended. To call it again is to wait for the same end.</summary>
    public Task<bool> EndAsync()
    {
        lock (_endLock)
        {
            return _end ??= EndOnceAsync();
        }
    }

    private async Task<bool> EndOnceAsync()
    {
        // Its stdin closes when the writer is idle or stuck alike: what is queued now has nobody to wait for it.
        _outgoing.Writer.TryComplete();
        var gone = await _process.EndAsync(_options.EndGrace);
        Close();
        return gone;
    }

    /// <summary>What a dead child has started dies too, which also closes the pipe that it may have inherited.</summary>
    private async Task EndWithProcessAsync()
    {
        await _process.Exited;
        var end = EndAsync();
        await Task.WhenAny(_read, Task.Delay(LastWords, _time, CancellationToken.None));
        await end;
        _closedSource.TrySetResult();
    }

    private PendingCall Register(byte[] clientId, byte[]? token, Action<PendingCall>? completed)
    {
        var call = new PendingCall(clientId, token, _time.GetTimestamp()) { ChildId = Interlocked.Increment(ref _lastId), Completed = completed };
        _calls[call.ChildId] = call;
        return call;
    }

    private void Dispatch(PendingCall call, byte[] message)
    {
        if (_calls.Count > _options.CallsInFlight || !Send(message))
        {
            Fail(call, _closed ? "The server has ended." : "The server has more calls waiting than it can take.", _closed ? "upstream_closed" : "busy");
        }
        else if (_closed)
        {
            // Closed after this call was registered: the sweep over all calls may have missed it.
            Fail(call, "The server has ended.", "upstream_closed");
        }
    }

    private void Fail(PendingCall call, string message, string mark)
    {
        _calls.TryRemove(call.ChildId, out _);
        call.Finish(JsonRpc.Error(call.ClientId, JsonRpc.InternalError, message, mark));
    }

    private async Task WriteAsync()
    {
        var buffer = new byte[1024];
        try
        {
            await foreach (var message in _outgoing.Reader.ReadAllAsync())
            {
                // One write for message and line break: most messages are small, and a write is a system call.
                var length = message.Length + 1;
                var line = length <= buffer.Length ? buffer : new byte[length];
                message.CopyTo(line, 0);
                line[message.Length] = (byte)'\n';
                await _process.Input.WriteAsync(line.AsMemory(0, length));
                buffer = length <= SmallMessage ? line : buffer;
                Interlocked.Add(ref _outgoingBytes, -message.Length);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            _outgoing.Writer.TryComplete(); // The child reads no more; the end of its output says the rest.
        }
    }

    private async Task ReadAsync()
    {
        await LineReader.ReadAsync(_process.Output, BridgeOptions.MessageLimit, OnLine);
        Close();
        _closedSource.TrySetResult();
    }

    private void Close()
    {
        _closed = true;
        _sweep.Dispose();
        _outgoing.Writer.TryComplete();
        foreach (var call in _calls.Values)
        {
            Fail(call, "The server ended before it answered.", "upstream_closed");
        }
    }

    private void OnLine(Span<byte> line, bool isWhole)
    {
        // Inside of a message only spaces mean as little as a carriage return, and event streams take them.
        line.Replace((byte)'\r', (byte)' ');
        var message = line.Trim((byte)' ');
        if (message.IsEmpty)
        {
            return;
        }

        if (!isWhole)
        {
            OnTooLong();
        }
        else if (!Envelope.TryParse(message, out var envelope, out _))
        {
            _log.Write("stdout", Encoding.UTF8.GetString(message[..Math.Min(message.Length, LogLineLimit)]));
        }
        else if (envelope.Kind == MessageKind.Response)
        {
            OnResponse(envelope, message);
        }
        else if (envelope.Kind == MessageKind.Request && envelope.Method == "ping")
        {
            Send(JsonRpc.Result(message[envelope.Id], "{}"u8));
        }
        else if (envelope.Method == "notifications/progress")
        {
            OnProgress(envelope, message);
        }
        else
        {
            _onServerMessage(this, envelope, message.ToArray());
        }
    }

    private void OnResponse(in Envelope envelope, ReadOnlySpan<byte> message)
    {
        if (TryReadId(message[envelope.Id], out var id) && _calls.TryRemove(id, out var call))
        {
            call.Finish(Splice.Replace(message, envelope.Id, call.ClientId));
        }
    }

    private void OnProgress(in Envelope envelope, ReadOnlySpan<byte> message)
    {
        if (TryReadId(message[envelope.ProgressToken], out var id) && _calls.TryGetValue(id, out var call) && call.ClientToken is { } token)
        {
            call.Offer(Splice.Replace(message, envelope.ProgressToken, token));
        }
    }

    /// <summary>Whose answer it was stands in the part that is skipped; where only one call waits, it is known all the same.</summary>
    private void OnTooLong()
    {
        _log.Write("node", $"A message of more than {BridgeOptions.MessageLimit >> 20} MiB was dropped.");
        if (_calls.Values.ToArray() is [var only])
        {
            Fail(only, $"The server answered with more than {BridgeOptions.MessageLimit >> 20} MiB.", "too_large");
        }
    }

    private void EndOverdueCalls()
    {
        foreach (var call in _calls.Values)
        {
            if (_time.GetElapsedTime(call.StartedAt) > _options.CallTimeout)
            {
                Send(JsonRpc.Notification("notifications/cancelled", $$"""{"requestId":{{call.ChildId}},"reason":"timeout"}"""));
                Fail(call, "The server did not answer in time.", "timeout");
            }
        }
    }

    private static bool TryReadId(ReadOnlySpan<byte> bytes, out long id) =>
        Utf8Parser.TryParse(bytes, out id, out var consumed) && consumed == bytes.Length && consumed > 0;
}
