using System.Text;
using System.Text.Json;
using Weir.Chat;
using Weir.Errors;
using Weir.Gateway.Forwarding;
using Weir.Server.Http;

namespace Weir.Server.Chat;

/// <summary>A turn as server-sent events. An error before the first event is an ordinary response; a later one is the event <c>error</c>.</summary>
internal sealed class ChatEventStream(HttpContext http)
{
    // Never disposed: a call that the turn gave up may still want to tell something, and holds nothing by it.
    private readonly SemaphoreSlim _turn = new(1, 1);
    private bool _closed;

    public static async Task RunAsync(HttpContext http, Func<Func<ChatEvent, ValueTask>, Task> turn)
    {
        var stream = new ChatEventStream(http);
        try
        {
            await turn(stream.WriteAsync);
        }
        catch (WeirException e) when (http.Response.HasStarted)
        {
            await stream.WriteAsync(new ChatEvent("error", new ErrorBody(e.Code.Sqlstate(), e.Message, Details: null, e.Hint)));
        }
        catch (Exception e) when (http.Response.HasStarted)
        {
            http.RequestServices.GetRequiredService<ILogger<ChatEventStream>>().LogError(e, "A turn failed after its stream began.");
            await stream.WriteAsync(new ChatEvent("error", new ErrorBody(
                ErrorCode.Internal.Sqlstate(), "Something went wrong in Weir; its log says what.", Details: null, Hint: null)));
        }
        finally
        {
            await stream.CloseAsync();
        }
    }

    /// <summary>Never throws: whoever went away misses the rest, and the turn goes on.</summary>
    private async ValueTask WriteAsync(ChatEvent happened)
    {
        await _turn.WaitAsync();
        try
        {
            if (_closed || http.RequestAborted.IsCancellationRequested)
            {
                return;
            }

            if (!http.Response.HasStarted)
            {
                EventStream.Begin(http.Response);
            }

            var data = JsonSerializer.Serialize(happened.Data, happened.Data.GetType(), ChatAnswer.Json);
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"event: {happened.Type}\ndata: {data}\n\n"), http.RequestAborted);
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
