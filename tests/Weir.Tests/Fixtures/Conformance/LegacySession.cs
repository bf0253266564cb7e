using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>What a legacy client and the server know of each other.</summary>
internal sealed class LegacySession(string id, string version, JsonObject capabilities)
{
    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonObject>> _asked = new();
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _calls = new();
    private readonly ConcurrentDictionary<string, LegacyStream> _streams = new();
    private readonly ConcurrentDictionary<string, bool> _subscriptions = new();
    private int _counter;

    public string Id => id;

    public string Version => version;

    public JsonObject Capabilities => capabilities;

    public string LogLevel { get; set; } = "debug";

    public CancellationToken Ended => _ended.Token;

    public bool IsSubscribed(string uri) => _subscriptions.ContainsKey(uri);

    public void Subscribe(string uri, bool wanted)
    {
        if (wanted)
        {
            _subscriptions[uri] = true;
        }
        else
        {
            _subscriptions.TryRemove(uri, out _);
        }
    }

    public LegacyStream Open()
    {
        var stream = new LegacyStream(Next(), isResumable: version == "2025-11-25");
        _streams[stream.Id] = stream;
        return stream;
    }

    public LegacyStream? Find(string stream) => _streams.GetValueOrDefault(stream);

    public void Add(JsonNode call, CancellationTokenSource cancel) => _calls[call.ToJsonString()] = cancel;

    public void Remove(JsonNode call) => _calls.TryRemove(call.ToJsonString(), out _);

    /// <summary>A notification, or the answer to a question.</summary>
    public void Receive(string? method, JsonObject message)
    {
        if (method == "notifications/cancelled" && message["params"]?["requestId"] is { } call
            && _calls.TryGetValue(call.ToJsonString(), out var cancel))
        {
            cancel.Cancel();
        }

        if (method is null && message["id"] is JsonValue question && question.TryGetValue<string>(out var key)
            && _asked.TryRemove(key, out var waiting))
        {
            waiting.TrySetResult(message);
        }
    }

    public async Task<JsonObject> AskAsync(LegacyStream stream, Question question, CancellationToken cancelled)
    {
        var key = $"{id}-{Next()}";
        var waiting = new TaskCompletionSource<JsonObject>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked[key] = waiting;
        stream.Send(Rpc.Request(key, question.Method, question.Params));
        var answer = await waiting.Task.WaitAsync(cancelled);
        return answer["result"] as JsonObject
            ?? throw new ToolException($"The client refused {question.Method}: {answer["error"]?["message"]}");
    }

    public void End()
    {
        _ended.Cancel();
        foreach (var cancel in _calls.Values)
        {
            cancel.Cancel();
        }
    }

    private string Next() => $"{Interlocked.Increment(ref _counter)}";
}

/// <summary>One request's answer: kept, so that a client that lost the connection gets the rest.</summary>
internal sealed class LegacyStream(string id, bool isResumable)
{
    private readonly Lock _lock = new();
    private readonly List<JsonObject> _messages = [];
    private TaskCompletionSource _more = Signal();
    private TaskCompletionSource? _resumed;
    private CancellationTokenSource? _connection;
    private bool _isOver;

    public string Id => id;

    public void Send(JsonObject message) => Change(() => _messages.Add(message));

    public void Finish(JsonObject message) => Change(() =>
    {
        _messages.Add(message);
        _isOver = true;
    });

    /// <summary>Nothing more will come, an answer neither.</summary>
    public void Abandon() => Change(() => _isOver = true);

    /// <summary>Ends the connection, and returns when the client has come back.</summary>
    public Task DropAsync()
    {
        if (!isResumable)
        {
            return Task.CompletedTask;
        }

        lock (_lock)
        {
            _resumed = Signal();
            _connection?.Cancel();
            return _resumed.Task;
        }
    }

    /// <summary>
    /// Writes what there is and what comes: all of it, or what follows an event. The first event of a stream, 1, is empty.
    /// </summary>
    public async Task PumpAsync(HttpContext http, int? resumesAfter, CancellationToken ending)
    {
        var connection = new CancellationTokenSource();
        Connect(connection, resumesAfter is not null);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, ending, connection.Token);
        var after = (resumesAfter ?? 1) - 1;
        var streams = resumesAfter is not null;
        if (streams)
        {
            Reply.BeginStream(http);
        }

        try
        {
            while (await NextAsync(after, over.Token) is { } next)
            {
                if (!streams && next.IsLast)
                {
                    await new Reply(http).FinishAsync(next.Message);
                    return;
                }

                if (!streams)
                {
                    streams = true;
                    Reply.BeginStream(http);
                    await PrimeAsync(http);
                }

                after++;
                await http.Response.WriteAsync(
                    $"{(isResumable ? $"id: {id}-{after + 1}\n" : "")}event: message\ndata: {next.Message.ToJsonString()}\n\n",
                    http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
            }

            if (!streams)
            {
                Reply.BeginStream(http);
            }
        }
        catch (OperationCanceledException) when (connection.IsCancellationRequested && !streams)
        {
            // Dropped before anything was said: the client still needs to know where to come back to.
            Reply.BeginStream(http);
            await PrimeAsync(http);
        }
        catch (OperationCanceledException)
        {
            // The connection's end is not the stream's.
        }
    }

    private void Connect(CancellationTokenSource connection, bool isResumed)
    {
        lock (_lock)
        {
            _connection = connection;
            if (isResumed)
            {
                _resumed?.TrySetResult();
            }
            else if (_resumed is not null)
            {
                // The tool was quicker than the first connection, which is the one that it wants to end.
                connection.Cancel();
            }
        }
    }

    private async Task PrimeAsync(HttpContext http)
    {
        if (isResumable)
        {
            await http.Response.WriteAsync($"id: {id}-1\nretry: 200\ndata: \n\n", http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
    }

    private async Task<(JsonObject Message, bool IsLast)?> NextAsync(int index, CancellationToken cancelled)
    {
        while (true)
        {
            Task more;
            lock (_lock)
            {
                if (index < _messages.Count)
                {
                    return (_messages[index], _isOver && index == _messages.Count - 1);
                }

                if (_isOver)
                {
                    return null;
                }

                more = _more.Task;
            }

            await more.WaitAsync(cancelled);
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource more;
        lock (_lock)
        {
            change();
            (more, _more) = (_more, Signal());
        }

        more.TrySetResult();
    }

    private static TaskCompletionSource Signal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>A request of a session.</summary>
internal sealed class LegacyCall : ServerCall, IDisposable
{
    private readonly LegacySession _session;
    private readonly LegacyStream _stream;
    private readonly JsonNode _id;
    private readonly CancellationTokenSource _cancel = new();

    public LegacyCall(LegacySession session, LegacyStream stream, JsonNode id, JsonObject parameters)
        : base(parameters)
    {
        (_session, _stream, _id) = (session, stream, id);
        session.Add(id, _cancel);
    }

    public override JsonObject Capabilities => _session.Capabilities;

    public override CancellationToken Cancelled => _cancel.Token;

    protected override string? LogLevel => _session.LogLevel;

    public override Task NotifyAsync(string method, JsonObject notification)
    {
        _stream.Send(Rpc.Notification(method, notification));
        return Task.CompletedTask;
    }

    public override async Task<IReadOnlyDictionary<string, JsonObject>> AskAsync(params Question[] questions)
    {
        foreach (var question in questions.Where(q => !Can(q.Capability)))
        {
            throw new ToolException($"The client cannot answer {question.Method}");
        }

        var answers = await Task.WhenAll(questions.Select(q => _session.AskAsync(_stream, q, Cancelled)));
        return questions.Zip(answers).ToDictionary(p => p.First.Key, p => p.Second);
    }

    public override Task ReconnectAsync() => _stream.DropAsync();

    public override RpcException MissingCapability(string capability) => new(Rpc.InvalidParams, $"The client lacks {capability}");

    public override RpcException ResourceNotFound(string uri) =>
        new(Rpc.ResourceNotFound, "Resource not found", data: new JsonObject { ["uri"] = uri });

    public void Dispose()
    {
        _session.Remove(_id);
        _cancel.Dispose();
    }
}
