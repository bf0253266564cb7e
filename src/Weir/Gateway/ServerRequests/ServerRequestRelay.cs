using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Weir.Configuration;
using Weir.Gateway.Calls;
using Weir.Mcp;
using Weir.Upstream;

namespace Weir.Gateway.ServerRequests;

/// <summary>
/// What a legacy server asks in the middle of one call: put to the client that made the call and offers it, answered for everything
/// else. Several may be open at once; while one is, the call's deadline is paused.
/// </summary>
internal sealed class ServerRequestRelay(
    UpstreamClient upstream, UpstreamSession session, ICallResponder responder, PausableDeadline deadline, ByteAccount account,
    TimeProvider time, ILogger logger, CancellationToken ct)
{
    /// <summary>How long a server may take to hear that nobody answers.</summary>
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(2);

    /// <summary>What a server asks beyond this at one time is refused.</summary>
    private const int MostAtOnce = 32;

    private readonly Dictionary<string, CancellationTokenSource> _open = new(StringComparer.Ordinal);

    /// <summary>Begins to answer; the server's answer to the call is read on meanwhile.</summary>
    public void Handle(UpstreamMessage request)
    {
        var key = RpcIds.KeyOf(request.Fields.Id.Of(request.Bytes.Span));
        var withdrawn = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var hold = account.TryTake(request.Bytes.Length);
        bool tooMany;
        lock (_open)
        {
            tooMany = hold is null || _open.Count >= MostAtOnce;
            if (!_open.TryAdd(key, withdrawn))
            {
                withdrawn.Dispose();
                hold?.Dispose();
                return;
            }
        }

        _ = AnswerAsync(key, request, withdrawn, tooMany, hold);
    }

    /// <summary>The server takes a request back.</summary>
    public void Withdraw(UpstreamMessage cancelled)
    {
        using var parameters =
            JsonDocument.Parse(cancelled.Fields.Params.Of(cancelled.Bytes), new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        if (parameters.RootElement.TryGetProperty("requestId", out var id))
        {
            lock (_open)
            {
                if (_open.TryGetValue(RpcIds.KeyOf(JsonMarshal.GetRawUtf8Value(id)), out var withdrawn))
                {
                    withdrawn.Cancel();
                }
            }
        }
    }

    private async Task AnswerAsync(string key, UpstreamMessage request, CancellationTokenSource withdrawn, bool tooMany, ByteHold? hold)
    {
        // Answered as the server spelled it.
        var id = Encoding.UTF8.GetString(request.Fields.Id.Of(request.Bytes.Span));
        try
        {
            var answer = tooMany ? Error(RpcCodes.InternalError, "Too many requests are open, or too many bytes of them.")
                : await AskAsync(request, withdrawn.Token);
            await upstream.NotifyAsync(session, request.Fields.Method, Response(id, answer), ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // The call is over; what the server asked may be about another one on the same channel, which would wait for ever.
            await SendNoAnswerAsync(id, request.Fields.Method);
        }
        catch (Exception e) when (e is OperationCanceledException or UpstreamException or JsonException or IOException)
        {
            // Withdrawn, or the server does not listen: it will notice that nobody answered.
            logger.LogDebug(e, "A request of server {Instance} was not answered.", session.Target.InstanceName);
        }
        finally
        {
            lock (_open)
            {
                _open.Remove(key);
            }

            withdrawn.Dispose();
            hold?.Dispose();
        }
    }

    private async Task SendNoAnswerAsync(string id, string method)
    {
        using var limit = new CancellationTokenSource(LastWord, time);
        try
        {
            await upstream.NotifyAsync(session, method, Response(id, NoAnswer(method)), limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or UpstreamException)
        {
            logger.LogDebug(e, "Server {Instance} did not hear that nobody answers.", session.Target.InstanceName);
        }
    }

    private async Task<ClientResponse> AskAsync(UpstreamMessage request, CancellationToken withdrawn)
    {
        if (request.Fields.Method == Methods.Ping)
        {
            return new ClientResponse("{}"u8.ToArray(), default);
        }

        if (!session.Offered.Offers(request.Fields.Method))
        {
            return Error(RpcCodes.MethodNotFound, "Method not found");
        }

        deadline.Pause();
        try
        {
            var parameters = request.Fields.Params.Exists ? request.Fields.Params.Of(request.Bytes) : "{}"u8.ToArray();
            return await responder.AskAsync(request.Fields.Method, parameters, withdrawn);
        }
        catch (TimeoutException)
        {
            return NoAnswer(request.Fields.Method);
        }
        finally
        {
            deadline.Resume();
        }
    }

    /// <summary>What a server is told when nobody answered: a person who does not react has cancelled.</summary>
    public static ClientResponse NoAnswer(string method) => method == Methods.Elicit
        ? new ClientResponse("""{"action":"cancel"}"""u8.ToArray(), default)
        : Error(RpcCodes.InternalError, "The client did not answer in time.");

    private static ClientResponse Error(int code, string message)
    {
        var output = new ArrayBufferWriter<byte>(64);
        using (var json = new Utf8JsonWriter(output, PlainJson.Writing))
        {
            json.WriteStartObject();
            json.WriteNumber("code"u8, code);
            json.WriteString("message"u8, message);
            json.WriteEndObject();
        }

        return new ClientResponse(default, output.WrittenMemory);
    }

    private static ReadOnlyMemory<byte> Response(string id, ClientResponse answer)
    {
        var output = new ArrayBufferWriter<byte>(answer.Result.Length + answer.Error.Length + 64);
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(Encoding.UTF8.GetBytes(id));
        output.Write(answer.IsError ? ",\"error\":"u8 : ",\"result\":"u8);
        output.Write((answer.IsError ? answer.Error : answer.Result).Span);
        output.Write("}"u8);
        return output.WrittenMemory;
    }
}
