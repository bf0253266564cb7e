using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Weir.Errors;
using Weir.Input;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>One message from a server: its bytes and its outline.</summary>
internal readonly record struct UpstreamMessage(ReadOnlyMemory<byte> Bytes, ServerMessage Fields);

/// <summary>
/// One POST to a server and what it answers: a stream of messages that ends with the response, whether it came as one JSON
/// body or as an event stream. Both eras look the same from here.
/// </summary>
internal sealed class UpstreamRequest : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly int _maxBytes;
    private readonly TimeProvider _time;

    /// <summary>A node's answers are Weir's own: their bodies say more than their status.</summary>
    private readonly bool _isNode;

    /// <summary>What is read counts here.</summary>
    private readonly ByteAccount _account;

    /// <summary>Where the answer comes instead of in the response to the POST; null in every transport but the oldest.</summary>
    private readonly MessageQueue? _elsewhere;
    private readonly Action? _done;
    private ReadOnlyMemory<byte>? _body;

    private UpstreamRequest(
        HttpResponseMessage response, int maxBytes, TimeProvider time, bool isNode, ByteAccount account, MessageQueue? elsewhere = null,
        Action? done = null) =>
        (_response, _maxBytes, _time, _isNode, _account, _elsewhere, _done) = (response, maxBytes, time, isNode, account, elsewhere, done);

    /// <summary>The same request, whose answer comes on another stream.</summary>
    /// <param name="done">Called when nobody waits for it any more.</param>
    public UpstreamRequest AnsweredBy(MessageQueue elsewhere, Action done) =>
        new(_response, _maxBytes, _time, _isNode, _account, elsewhere, done + _done);

    /// <summary>A stream that no request of this exchange opened.</summary>
    public static UpstreamRequest Of(MessageQueue stream, ByteAccount account, Action done, int maxBytes, TimeProvider time) =>
        new(new HttpResponseMessage(), maxBytes, time, isNode: false, account, stream, done);

    /// <summary>Where what is read counts.</summary>
    public ByteAccount Account => _account;

    public bool IsJson =>
        string.Equals(_response.Content.Headers.ContentType?.MediaType, "application/json", StringComparison.OrdinalIgnoreCase);

    public static bool IsEventStream(HttpResponseMessage response) =>
        string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase);

    /// <summary>The raw response, for a transport that goes on reading it by itself.</summary>
    public HttpResponseMessage Response => _response;

    public int Status => (int)_response.StatusCode;

    /// <summary>The id of the last event that came, by which a broken stream is taken up again; null where the server gives none.</summary>
    public string? LastEventId { get; private set; }

    /// <summary>How long the server wants to be left alone before that; null where it does not say.</summary>
    public TimeSpan? RetryAfter { get; private set; }

    public string? SessionId => _response.Headers.TryGetValues(Protocol.SessionHeader, out var values) ? values.FirstOrDefault() : null;

    /// <summary>What the status says where the body has no say; null where it has. Nothing of the body is read or quoted.</summary>
    public UpstreamException? Refusal => Status >= 300 && !(IsJson && (_isNode || Status is >= 400 and not (401 or 403 or 429 or 503)))
        ? RefusalByStatus : null;

    /// <summary>What the status says, which is no success.</summary>
    public UpstreamException RefusalByStatus => UpstreamException.OfStatus(Status, RetryAfterHeader.Of(_response, _time.GetUtcNow()));

    /// <exception cref="UpstreamException">No connection, or Weir does not connect there.</exception>
    /// <param name="done">Called when the exchange is over.</param>
    public static async Task<UpstreamRequest> SendAsync(
        HttpMessageInvoker http, HttpRequestMessage request, int maxBytes, TimeProvider time, bool isNode, ByteAccount account,
        Action? done,
        CancellationToken ct)
    {
        try
        {
            return new UpstreamRequest(await http.SendAsync(request, ct), maxBytes, time, isNode, account, elsewhere: null, done);
        }
        catch (HttpRequestException e) when (e.InnerException is WeirException refused)
        {
            throw UpstreamException.Refused(refused, FailureCause.AddressNotAllowed, e);
        }
        catch (WeirException e)
        {
            throw UpstreamException.Refused(e, FailureCause.AddressNotAllowed);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw ConnectionFailures.ToException(e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UpstreamException(UpstreamFailure.Unreachable, "No connection to the server was made in time.", e)
            {
                Cause = FailureCause.TimedOut,
                NothingSent = true,
            };
        }
    }

    /// <summary>The messages, in order. Ends after the response to <paramref name="id"/>, or where the server stops.</summary>
    /// <param name="id">Null for a stream that answers no request and may go on forever.</param>
    /// <exception cref="UpstreamException">It is not the protocol, or too large, or the connection broke.</exception>
    public async IAsyncEnumerable<UpstreamMessage> ReadAsync(long? id, [EnumeratorCancellation] CancellationToken ct)
    {
        if (_elsewhere is { } elsewhere)
        {
            await foreach (var data in elsewhere.ReadAllAsync(ct))
            {
                var message = ParseOne(data, id);
                yield return message;
                if (message.Fields.Kind == MessageKind.Response && id is not null)
                {
                    yield break;
                }
            }

            throw new UpstreamException(UpstreamFailure.Unreachable, "The connection to the server broke.");
        }

        if (Refusal is { } refusal)
        {
            throw refusal;
        }

        if (IsJson)
        {
            var body = await ReadBodyAsync(ct);
            if (Status >= 300)
            {
                yield return NotOfNode(ParseRefusal(body, id));
                yield break;
            }

            foreach (var message in Parse(body, id))
            {
                yield return NotOfNode(message);
            }

            yield break;
        }

        if (!IsEventStream(_response))
        {
            throw _response.Content.Headers.ContentType is null
                ? Nonsense($"The server answered {Status} without a message.")
                : new UpstreamException(
                    UpstreamFailure.Nonsense, "The server answered with something else than JSON or an event stream, such as a web page.")
                {
                    Cause = FailureCause.NotMcp,
                };
        }

        await foreach (var data in EventsAsync(isEndless: id is null, ct))
        {
            if (RpcBatch.IsHeartbeat(data))
            {
                continue;
            }

            foreach (var message in Parse(data, id))
            {
                yield return NotOfNode(message);
                if (message.Fields.Kind == MessageKind.Response && id is not null)
                {
                    yield break;
                }
            }
        }
    }

    /// <exception cref="UpstreamException">The node says by itself why its server does not answer.</exception>
    private UpstreamMessage NotOfNode(UpstreamMessage message) =>
        _isNode && NodeRefusals.Of(Status, message, RetryAfterHeader.Of(_response, _time.GetUtcNow())) is { } refusal
            ? throw refusal : message;

    /// <summary>The whole body of an answer whose status already says that it is no stream of messages.</summary>
    public async Task<ReadOnlyMemory<byte>> ReadBodyAsync(CancellationToken ct)
    {
        if (_body is { } read)
        {
            return read;
        }

        try
        {
            if (_response.Content.Headers.ContentLength > _maxBytes)
            {
                throw TooLarge();
            }

            var charged = _response.Content.Headers.ContentLength ?? 0;
            _account.Take(charged);
            await using var stream = await _response.Content.ReadAsStreamAsync(ct);
            var buffer = new ArrayBufferWriter<byte>((int)(_response.Content.Headers.ContentLength ?? 4096) + 1);
            while (true)
            {
                var count = await stream.ReadAsync(buffer.GetMemory(1), ct);
                if (count == 0)
                {
                    // A byte-order mark is no part of the JSON; servers on Windows write one.
                    ReadOnlyMemory<byte> body = buffer.WrittenMemory;
                    _body = body = body.Span.StartsWith("\uFEFF"u8) ? body[3..] : body;
                    return body;
                }

                buffer.Advance(count);
                if (buffer.WrittenCount > _maxBytes)
                {
                    throw TooLarge();
                }

                if (buffer.WrittenCount > charged)
                {
                    // Half as much more each time, as the buffer grows.
                    var more = Math.Max(4096, buffer.WrittenCount - charged + (charged / 2));
                    _account.Take(more);
                    charged += more;
                }
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new UpstreamException(UpstreamFailure.Unreachable, "The connection to the server broke.", e);
        }
    }

    public void Dispose()
    {
        _done?.Invoke();
        _response.Dispose();
    }

    /// <summary>The data of the events that carry messages; events of other types are skipped.</summary>
    private async IAsyncEnumerable<byte[]> EventsAsync(bool isEndless, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var events =
            new SseReader(await _response.Content.ReadAsStreamAsync(ct), _maxBytes, _account) { IsEndless = isEndless };
        while (true)
        {
            SseEvent? next;
            try
            {
                next = await events.ReadAsync(ct);
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                throw new UpstreamException(UpstreamFailure.Unreachable, "The connection to the server broke.", e);
            }
            finally
            {
                LastEventId = events.LastEventId;
                RetryAfter = events.Retry;
            }

            if (next is not { } current)
            {
                yield break;
            }

            if (current is { Type: SseReader.Message, Data.Length: > 0 })
            {
                yield return current.Data;
            }
        }
    }

    /// <summary>The JSON body of an answer that is no success: a message of the protocol, or else only its status counts.</summary>
    private UpstreamMessage ParseRefusal(ReadOnlyMemory<byte> body, long? id)
    {
        try
        {
            return ParseOne(body, id);
        }
        catch (UpstreamException e) when (e.Failure == UpstreamFailure.Nonsense)
        {
            throw RefusalByStatus;
        }
    }

    /// <summary>The message, or the messages of a batch.</summary>
    private static IEnumerable<UpstreamMessage> Parse(ReadOnlyMemory<byte> bytes, long? id)
    {
        using var messages = RpcBatch.Split(bytes).GetEnumerator();
        while (true)
        {
            try
            {
                if (!messages.MoveNext())
                {
                    yield break;
                }
            }
            catch (JsonException)
            {
                throw Nonsense("The server's answer is not a JSON-RPC message.");
            }

            yield return ParseOne(messages.Current, id);
        }
    }

    private static UpstreamMessage ParseOne(ReadOnlyMemory<byte> bytes, long? id)
    {
        bytes = JsonText.WithoutHalfPairs(bytes);
        ServerMessage fields;
        try
        {
            if (!System.Text.Unicode.Utf8.IsValid(bytes.Span))
            {
                throw new JsonException("Not UTF-8.");
            }

            fields = ServerMessage.Read(bytes.Span);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw Nonsense("The server's answer is not a JSON-RPC message.");
        }

        var foreign = fields.Kind == MessageKind.Response
            && fields.Id.Exists
            && !(RpcIds.TryReadToken(fields.Id.Of(bytes.Span), out var answered) && answered == id)
            && !fields.Id.Of(bytes.Span).SequenceEqual("null"u8);
        if (fields.IsMalformedError)
        {
            throw new UpstreamException(
                UpstreamFailure.Nonsense, "The server's error is malformed: its code is not an integer, or its message is not a string.")
            {
                Cause = FailureCause.MalformedError,
            };
        }

        return foreign
            ? throw Nonsense("The server answered another request than the one it was asked.") : new UpstreamMessage(bytes, fields);
    }

    private static UpstreamException Nonsense(string message) => new(UpstreamFailure.Nonsense, message);

    public static UpstreamException TooLarge() => new(UpstreamFailure.TooLarge, "The server's answer is larger than Weir passes on.");
}
