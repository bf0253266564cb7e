using System.Collections.Concurrent;
using Weir.Gateway.Calls;
using Weir.Mcp;

namespace Weir.Gateway.ServerRequests;

/// <summary>
/// What legacy clients were asked in the middle of their calls and have not answered yet. A client answers with a POST of its own,
/// which is recognized by the session and the id that it was asked under: nobody answers for another.
/// </summary>
internal sealed class ClientResponses(Guid replicaId, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Session, string Id), TaskCompletionSource<ClientResponse>> _waiting = new();
    private long _lastId;

    /// <summary>Asks under an id that nobody was asked under before, and waits for the answer.</summary>
    /// <param name="ask">Sends the request with this id, a JSON string that names the replica: the answer may come to another.</param>
    /// <exception cref="TimeoutException">There was no answer within <paramref name="limit"/>.</exception>
    public async Task<ClientResponse> AskAsync(string session, TimeSpan limit, Func<string, Task> ask, CancellationToken ct)
    {
        var id = string.Create(
            System.Globalization.CultureInfo.InvariantCulture, $"\"weir-{replicaId:N}-{Interlocked.Increment(ref _lastId)}\"");
        var answer = new TaskCompletionSource<ClientResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
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
    public static Guid? AskedBy(ReadOnlyMemory<byte> body, ClientMessage response)
    {
        var id = RpcIds.KeyOf(response.Id.Of(body.Span));
        return id.StartsWith("\"weir-", StringComparison.Ordinal) && id.Length > 39
            && Guid.TryParseExact(id.AsSpan(6, 32), "N", out var replica)
                ? replica : null;
    }

    /// <summary>Takes a client's response; one that answers no open question is dropped.</summary>
    public void Handle(string session, ReadOnlyMemory<byte> body, ClientMessage response)
    {
        if (_waiting.TryGetValue((session, RpcIds.KeyOf(response.Id.Of(body.Span))), out var waiting))
        {
            waiting.TrySetResult(response.Error.Exists
                ? new ClientResponse(default, response.Error.Of(body))
                : new ClientResponse(response.Result.Of(body), default));
        }
    }
}
