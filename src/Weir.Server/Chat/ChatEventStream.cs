using System.Text;
using System.Text.Json;
using Weir.Chat;
using Weir.Errors;
using Weir.Http;
using Weir.Server.Http;

namespace Weir.Server.Chat;

/// <summary>
/// A turn as server-sent events. An error before the first event is an ordinary response; a later one is the event <c>error</c>.
/// </summary>
internal sealed class ChatEventStream(HttpContext http)
{
    // Never disposed: a call that the turn gave up may still want to tell something, and holds nothing by it.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private bool _closed;
    private bool _quiet;

    public static async Task RunAsync(HttpContext http, TimeProvider time, Func<Func<ChatEvent, ValueTask>, Task> turn)
    {
        var stream = new ChatEventStream(http);
        try
        {
            await using var beat = time.CreateTimer(_ => _ = stream.BeatAsync(), null, EventStream.KeepAlive, EventStream.KeepAlive);
            await turn(stream.WriteAsync);
        }
        catch (Exception e)
        {
            if (!await stream.HasBegunAsync())
            {
                throw;
            }

            await stream.WriteAsync(new ChatEvent("error", ErrorOf(http, e)));
        }
        finally
        {
            await stream.CloseAsync();
        }
    }

    private static ErrorBody ErrorOf(HttpContext http, Exception e)
    {
        if (e is WeirException known)
        {
            return new ErrorBody(known.Code.Sqlstate(), known.Message, Details: null, JsonErrors.HintOf(http, known.Hint, known.Page));
        }

        http.RequestServices.GetRequiredService<ILogger<ChatEventStream>>().LogError(e, "A turn failed after its stream began.");
        return new ErrorBody(ErrorCode.Internal.Sqlstate(), "Something went wrong in Weir; its log says what.", Details: null, Hint: null);
    }

    /// <summary>Whether the stream has begun; if not, no comment begins it any more.</summary>
    private async ValueTask<bool> HasBegunAsync()
    {
        await _turn.WaitAsync();
        _quiet = true;
        _turn.Release();
        return http.Response.HasStarted;
    }

    /// <summary>A turn may think for minutes; proxies end what is silent for one.</summary>
    private async Task BeatAsync()
    {
        if (await _turn.WaitAsync(0))
        {
            await WriteAsync(_quiet ? "" : ": keep-alive\n\n");
        }
    }

    /// <summary>Never throws: whoever went away misses the rest, and the turn goes on.</summary>
    private async ValueTask WriteAsync(ChatEvent happened)
    {
        var data = JsonSerializer.Serialize(happened.Data, happened.Data.GetType(), ChatAnswer.Json);
        await _turn.WaitAsync();
        await WriteAsync($"event: {happened.Type}\ndata: {data}\n\n");
    }

    /// <summary>Writes while it is this one's turn, and ends the turn.</summary>
    private async ValueTask WriteAsync(string text)
    {
        try
        {
            if (_closed || text.Length == 0 || http.RequestAborted.IsCancellationRequested)
            {
                return;
            }

            if (!http.Response.HasStarted)
            {
                EventStream.Begin(http.Response);
            }

            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), http.RequestAborted);
            await http.Response.Body.FlushAsync(http.RequestAborted);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            _closed = true;
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task CloseAsync()
    {
        await _turn.WaitAsync();
        _closed = true;
        _turn.Release();
    }
}
