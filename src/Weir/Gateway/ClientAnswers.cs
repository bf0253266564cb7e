using System.Collections.Concurrent;
using System.Text;
using Weir.Mcp;

namespace Weir.Gateway;

/// <summary>
/// What legacy clients were asked in the middle of their calls and have not answered yet. A client answers with a POST of its own,
/// which is recognized by the session and the id that it was asked under: nobody answers for another.
/// </summary>
internal sealed class ClientAnswers(TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Session, string Id), TaskCompletionSource<ClientAnswer>> _waiting = new();
    private long _lastId;

    /// <summary>Asks under an id that nobody was asked under before, and waits for the answer.</summary>
    /// <param name="ask">Sends the request with this id.</param>
    /// <exception cref="TimeoutException">There was no answer within <paramref name="limit"/>.</exception>
    public async Task<ClientAnswer> AskAsync(string session, TimeSpan limit, Func<string, Task> ask, CancellationToken ct)
    {
        // A number: some clients take no other id for a request. Beyond those of the client's own requests, for people who read logs.
        var id = (1_000_000 + Interlocked.Increment(ref _lastId)).ToString(System.Globalization.CultureInfo.InvariantCulture);
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

    /// <summary>Takes a client's response; one that answers nothing is nobody's and is dropped.</summary>
    public void Take(string session, ReadOnlyMemory<byte> body, Envelope response)
    {
        if (_waiting.TryGetValue((session, Encoding.UTF8.GetString(response.Id.Of(body.Span))), out var waiting))
        {
            waiting.TrySetResult(response.Error.Exists
                ? new ClientAnswer(default, response.Error.Of(body))
                : new ClientAnswer(response.Result.Of(body), default));
        }
    }
}
