using System.Collections.Concurrent;
using Weir.Gateway.Endpoint;
using Weir.Mcp;

namespace Weir.Gateway.Questions;

/// <summary>
/// What legacy clients were asked in the middle of their calls and have not answered yet. A client answers with a POST of its own,
/// which is recognized by the session and the id that it was asked under: nobody answers for another.
/// </summary>
internal sealed class ClientAnswers(Guid replicaId, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Session, string Id), TaskCompletionSource<ClientAnswer>> _waiting = new();
    private long _lastId;

    /// <summary>Asks under an id that nobody was asked under before, and waits for the answer.</summary>
    /// <param name="ask">Sends the request with this id, a JSON string that names the replica: the answer may come to another.</param>
    /// <exception cref="TimeoutException">There was no answer within <paramref name="limit"/>.</exception>
    public async Task<ClientAnswer> AskAsync(string session, TimeSpan limit, Func<string, Task> ask, CancellationToken ct)
    {
        var id = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"\"weir-{replicaId:N}-{Interlocked.Increment(ref _lastId)}\"");
        var answer = new TaskCompletionSource<ClientAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[(session, id)] = answer;
        try
        {
            await ask(id);
            return await answer.Task.WaitAsync(limit, time, ct);
        }
        finally
        {
            _waiting.TryRemove((session, id), out _);
        }
    }

    /// <summary>The replica that asked what this answers; null where it was none.</summary>
    public static Guid? AskedBy(ReadOnlyMemory<byte> body, Envelope response)
    {
        var id = RpcIds.KeyOf(response.Id.Of(body.Span));
        return id.StartsWith("\"weir-", StringComparison.Ordinal) && id.Length > 39
            && Guid.TryParseExact(id.AsSpan(6, 32), "N", out var replica)
                ? replica : null;
    }

    /// <summary>Takes a client's response; one that answers no open question is dropped.</summary>
    public void Take(string session, ReadOnlyMemory<byte> body, Envelope response)
    {
        if (_waiting.TryGetValue((session, RpcIds.KeyOf(response.Id.Of(body.Span))), out var waiting))
        {
            waiting.TrySetResult(response.Error.Exists
                ? new ClientAnswer(default, response.Error.Of(body))
                : new ClientAnswer(response.Result.Of(body), default));
        }
    }
}
