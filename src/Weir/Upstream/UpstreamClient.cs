using System.Buffers;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Weir.Egress;
using Weir.Errors;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>Speaks both eras toward servers: opens what needs opening, and posts requests whose bodies are made elsewhere.</summary>
internal sealed class UpstreamClient(EgressHttp egress, int maxResponseBytes, TimeProvider time)
{
    /// <summary>For era detection and <c>initialize</c> together.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>For a goodbye, whose answer does not matter.</summary>
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How often a stream that breaks off is taken up again in one call, and after which pause where the server names none.</summary>
    private const int MaxResumes = 20;
    private static readonly TimeSpan DefaultRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>
    /// Opens a conversation. A modern server is found by <c>server/discover</c>; whatever else comes back than a modern
    /// answer means a legacy one, which gets <c>initialize</c>.
    /// </summary>
    /// <param name="offered">What the clients of this conversation offer to servers, and Weir relays.</param>
    /// <exception cref="UpstreamException">The server is not reached, or speaks neither era.</exception>
    public async Task<UpstreamSession> OpenAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(ConnectTimeout);
        try
        {
            return await DiscoverAsync(target, offered, deadline.Token)
                ?? await InitializeAsync(target, offered, sse: null, deadline.Token)
                ?? await ConnectAsync(target, offered, deadline.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UpstreamException(UpstreamFailure.Unreachable, $"The server did not open a session within {ConnectTimeout.TotalSeconds:0} s.", e);
        }
    }

    /// <summary>Posts one message. The caller reads the answer and disposes it.</summary>
    /// <param name="headers">What a modern server wants repeated of the arguments.</param>
    public Task<UpstreamExchange> PostAsync(
        UpstreamSession session, string method, string? name, ReadOnlyMemory<byte> body, CancellationToken ct, IEnumerable<(string Name, string Value)>? headers = null)
    {
        if (session.Sse is { } sse)
        {
            return PostAsync(session.Target, sse, body, ct);
        }

        var request = Request(session.Target, session.Version, session.SessionId, method, name, body);
        foreach (var (header, value) in headers ?? [])
        {
            request.Headers.TryAddWithoutValidation(header, value);
        }

        return UpstreamExchange.SendAsync(Sockets(session.Target), request, maxResponseBytes, ct);
    }

    /// <summary>
    /// What the server says to one request. A stream that breaks off before the response is taken up again where the server
    /// gave its events ids: that is how it says that it may end a stream and go on in another.
    /// </summary>
    public async IAsyncEnumerable<UpstreamMessage> ReadAsync(UpstreamSession session, UpstreamExchange exchange, long id, [EnumeratorCancellation] CancellationToken ct)
    {
        var current = exchange;
        try
        {
            for (var resumed = 0; ; resumed++)
            {
                var done = false;
                await foreach (var message in current.ReadAsync(id, ct))
                {
                    done |= message.Outline.Kind == MessageKind.Response;
                    yield return message;
                }

                if (done || session.IsModern || current.LastEventId is not { } last || resumed == MaxResumes)
                {
                    yield break;
                }

                await Task.Delay(Shorter(current.RetryAfter ?? DefaultRetry, LongestRetry), time, ct);
                var next = await OpenStreamAsync(session, last, ct);
                if (!ReferenceEquals(current, exchange))
                {
                    current.Dispose();
                }

                current = next;
            }
        }
        finally
        {
            if (!ReferenceEquals(current, exchange))
            {
                current.Dispose();
            }
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    /// <summary>Posts what expects no answer: a notification, or the answer to a server's request.</summary>
    /// <exception cref="UpstreamException">It was not taken.</exception>
    public async Task TellAsync(UpstreamSession session, string method, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        using var exchange = await PostAsync(session, method, name: null, body, ct);
        if (exchange.Status >= 400)
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, $"The server answered {exchange.Status} to {method}.");
        }
    }

    /// <summary>Opens a legacy session's own stream, or takes up again one that broke off. The caller reads and disposes it.</summary>
    /// <param name="lastEventId">The last event that came before a stream broke off; null opens the session's own.</param>
    public Task<UpstreamExchange> OpenStreamAsync(UpstreamSession session, string? lastEventId, CancellationToken ct)
    {
        if (session.Sse is { } sse)
        {
            var listener = sse.Listen();
            return Task.FromResult(UpstreamExchange.Of(listener.Reader, () => sse.Forget(listener), maxResponseBytes));
        }

        var request = new HttpRequestMessage(HttpMethod.Get, session.Target.Endpoint);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        AddHeaders(request, session.Target, session.Version, session.SessionId);
        if (lastEventId is not null)
        {
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        }

        return UpstreamExchange.SendAsync(Sockets(session.Target), request, maxResponseBytes, ct);
    }

    /// <summary>Ends a legacy session at the server; what it answers does not matter.</summary>
    public async Task CloseAsync(UpstreamSession session, CancellationToken ct)
    {
        session.Sse?.Dispose();
        session.Release();
        if (session.SessionId is null)
        {
            return;
        }

        using var request = new HttpRequestMessage(HttpMethod.Delete, session.Target.Endpoint);
        AddHeaders(request, session.Target, session.Version, session.SessionId);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline.CancelAfter(CloseTimeout);
        try
        {
            using var exchange = await UpstreamExchange.SendAsync(Sockets(session.Target), request, maxResponseBytes, deadline.Token);
        }
        catch (Exception e) when (e is UpstreamException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            // It is gone already, or will time the session out by itself.
        }
    }

    /// <summary>
    /// Null from a legacy server. A modern one may refuse the first version that it is offered and name those that it has; it never
    /// gets <c>initialize</c> unless it names a legacy one.
    /// </summary>
    private async Task<UpstreamSession?> DiscoverAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            if (await AskWhatItSpeaksAsync(target, ct) is not { } answer)
            {
                return null;
            }

            if (answer.Outline.Result.Exists)
            {
                return ReadDiscoverResult(target, answer.Outline.Result.Of(answer.Bytes), offered);
            }

            if (answer.Outline.ErrorCode is not (RpcCodes.HeaderMismatch or RpcCodes.MissingClientCapability or RpcCodes.UnsupportedProtocolVersion))
            {
                return null;
            }

            var supported = SupportedVersions(answer.Outline.Error.Of(answer.Bytes));
            if (supported.Any(v => Protocol.LegacyVersions.Contains(v, StringComparer.Ordinal)))
            {
                return null;
            }

            if (!isFirst || !supported.Contains(Protocol.Modern, StringComparer.Ordinal))
            {
                throw new UpstreamException(UpstreamFailure.Nonsense, $"The server refused {Methods.Discover} (code {answer.Outline.ErrorCode}).");
            }
        }
    }

    /// <summary>The response to <c>server/discover</c>; null where what came is no message.</summary>
    private async Task<UpstreamMessage?> AskWhatItSpeaksAsync(UpstreamTarget target, CancellationToken ct)
    {
        var body = Build(1, Methods.Discover, json => WriteModernMeta(json));
        using var request = Request(target, Protocol.Modern, sessionId: null, Methods.Discover, name: null, body);
        using var exchange = await UpstreamExchange.SendAsync(Sockets(target), request, maxResponseBytes, ct);
        try
        {
            await foreach (var message in exchange.ReadAsync(1, ct))
            {
                if (message.Outline.Kind == MessageKind.Response)
                {
                    return message;
                }
            }
        }
        catch (UpstreamException e) when (e.Failure == UpstreamFailure.Nonsense)
        {
            // No modern server talks like this: a legacy one, or none at all. initialize will tell.
        }

        return null;
    }

    /// <summary>A server of 2024-11-05: its stream says where to post, and the rest is as in the later legacy versions.</summary>
    private async Task<UpstreamSession> ConnectAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, target.Endpoint);
        request.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        AddHeaders(request, target, version: null, sessionId: null);
        var stream = await UpstreamExchange.SendAsync(Sockets(target), request, maxResponseBytes, ct);
        SseConnection? sse = null;
        try
        {
            sse = await SseConnection.OpenAsync(stream.Response, target.Endpoint, maxResponseBytes, ct)
                ?? throw new UpstreamException(UpstreamFailure.Nonsense, "The server speaks no version of MCP that Weir knows.");
            return await InitializeAsync(target, offered, sse, ct) ?? throw new UpstreamException(UpstreamFailure.Nonsense, "The server does not initialize.");
        }
        catch (Exception e) when (e is IOException or HttpRequestException or ObjectDisposedException)
        {
            throw new UpstreamException(UpstreamFailure.Unreachable, "The connection to the server broke.", e);
        }
        finally
        {
            if (sse is null)
            {
                stream.Dispose();
            }
        }
    }

    /// <summary>Posts where the stream said; what the server answers comes on the stream.</summary>
    private async Task<UpstreamExchange> PostAsync(UpstreamTarget target, SseConnection sse, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        var outline = Outline.Read(body.Span);
        var expected = outline.Kind == MessageKind.Request && System.Buffers.Text.Utf8Parser.TryParse(outline.Id.Of(body.Span), out long id, out _) ? sse.Expect(id) : null;
        var number = expected is null ? 0 : long.Parse(outline.Id.Of(body.Span), System.Globalization.CultureInfo.InvariantCulture);
        using var request = Request(target with { Endpoint = sse.Endpoint }, version: null, sessionId: null, "", name: null, body);
        var exchange = await UpstreamExchange.SendAsync(Sockets(target), request, maxResponseBytes, ct);
        if (exchange.Status >= 400)
        {
            using (exchange)
            {
                sse.Forget(number);
                throw new UpstreamException(UpstreamFailure.Nonsense, $"The server answered {exchange.Status} to a message.");
            }
        }

        return expected is null ? exchange : exchange.AnsweredBy(expected, () => sse.Forget(number));
    }

    /// <summary>Null where the server's answer says that this is not its transport.</summary>
    private async Task<UpstreamSession?> InitializeAsync(UpstreamTarget target, ClientCapabilities offered, SseConnection? sse, CancellationToken ct)
    {
        var body = Build(1, Methods.Initialize, json =>
        {
            json.WriteString("protocolVersion"u8, Protocol.LatestLegacy);
            json.WritePropertyName("capabilities"u8);
            json.WriteRawValue(offered.Utf8, skipInputValidation: true);
            json.WritePropertyName("clientInfo"u8);
            WriteClientInfo(json);
        });
        using var request = Request(target, version: null, sessionId: null, Methods.Initialize, name: null, body);
        using var exchange = sse is null ? await UpstreamExchange.SendAsync(Sockets(target), request, maxResponseBytes, ct) : await PostAsync(target, sse, body, ct);
        if (sse is null && exchange.Status is 400 or 404 or 405 && !exchange.IsJson)
        {
            return null;
        }

        await foreach (var message in exchange.ReadAsync(1, ct))
        {
            if (message.Outline.Kind != MessageKind.Response)
            {
                continue;
            }

            if (!message.Outline.Result.Exists)
            {
                throw new UpstreamException(UpstreamFailure.Nonsense, $"The server refused to initialize (code {message.Outline.ErrorCode}).");
            }

            var session = ReadInitializeResult(target, exchange.SessionId, message.Outline.Result.Of(message.Bytes), offered, sse);
            await TellAsync(session, Methods.Initialized, """{"jsonrpc":"2.0","method":"notifications/initialized"}"""u8.ToArray(), ct);
            return session;
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, "The server ended its answer to initialize without a result.");
    }

    private static UpstreamSession ReadInitializeResult(UpstreamTarget target, string? sessionId, ReadOnlyMemory<byte> bytes, ClientCapabilities offered, SseConnection? sse)
    {
        using var document = JsonDocument.Parse(bytes);
        var result = document.RootElement;
        var version = result.TryGetProperty("protocolVersion", out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
        if (version is null || !(Protocol.LegacyVersions.Contains(version, StringComparer.Ordinal) || (sse is not null && version == Protocol.OldestLegacy)))
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server speaks no protocol version that Weir knows.");
        }

        var info = result.TryGetProperty("serverInfo", out var i) ? i.GetRawText() : "{}";
        var capabilities = result.TryGetProperty("capabilities", out var c) ? c.GetRawText() : "{}";
        return new UpstreamSession(target, version, sessionId, ToBytes(info), ToBytes(capabilities), offered, sse);
    }

    private static UpstreamSession? ReadDiscoverResult(UpstreamTarget target, ReadOnlyMemory<byte> bytes, ClientCapabilities offered)
    {
        using var document = JsonDocument.Parse(bytes);
        var result = document.RootElement;
        if (!Texts(result, "supportedVersions").Contains(Protocol.Modern, StringComparer.Ordinal))
        {
            return null;
        }

        var info = result.TryGetProperty("_meta", out var meta) && meta.ValueKind == JsonValueKind.Object && meta.TryGetProperty(Protocol.MetaServerInfo, out var value)
            ? value.GetRawText() : "{}";
        var capabilities = result.TryGetProperty("capabilities", out var declared) ? declared.GetRawText() : "{}";
        return new UpstreamSession(target, Protocol.Modern, sessionId: null, ToBytes(info), ToBytes(capabilities), offered);
    }

    private static string[] SupportedVersions(ReadOnlyMemory<byte> error)
    {
        using var document = JsonDocument.Parse(error);
        return document.RootElement.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object ? Texts(data, "supported") : [];
    }

    private static string[] Texts(JsonElement json, string member) => json.TryGetProperty(member, out var list) && list.ValueKind == JsonValueKind.Array
        ? [.. list.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!)]
        : [];

    private HttpMessageInvoker Sockets(UpstreamTarget target)
    {
        if (target.IsNode)
        {
            return egress.Operator;
        }

        try
        {
            egress.CheckUrl(target.Endpoint);
        }
        catch (WeirException e)
        {
            throw new UpstreamException(UpstreamFailure.Refused, e.Message, e);
        }

        return egress.Guarded;
    }

    private static HttpRequestMessage Request(UpstreamTarget target, string? version, string? sessionId, string method, string? name, ReadOnlyMemory<byte> body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, target.Endpoint) { Content = new ReadOnlyMemoryContent(body) };
        request.Content.Headers.ContentType = Json;
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        AddHeaders(request, target, version, sessionId);
        if (version == Protocol.Modern)
        {
            request.Headers.TryAddWithoutValidation(Protocol.MethodHeader, method);
            if (name is not null)
            {
                request.Headers.TryAddWithoutValidation(Protocol.NameHeader, HeaderValues.Encode(name));
            }
        }

        return request;
    }

    private static void AddHeaders(HttpRequestMessage request, UpstreamTarget target, string? version, string? sessionId)
    {
        if (version is not null)
        {
            request.Headers.TryAddWithoutValidation(Protocol.VersionHeader, version);
        }

        if (sessionId is not null)
        {
            request.Headers.TryAddWithoutValidation(Protocol.SessionHeader, sessionId);
        }

        if (target.NodeKey is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + target.NodeKey);
        }
    }

    /// <summary>A request of Weir's own: <paramref name="writeParams"/> writes the members of <c>params</c>.</summary>
    public static ReadOnlyMemory<byte> Build(long id, string method, Action<Utf8JsonWriter> writeParams)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc"u8, "2.0"u8);
            json.WriteNumber("id"u8, id);
            json.WriteString("method"u8, method);
            json.WriteStartObject("params"u8);
            writeParams(json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <summary>What a modern request carries in <c>_meta</c>; the client's capabilities where it relays a modern client's request.</summary>
    public static void WriteModernMeta(Utf8JsonWriter json, ReadOnlySpan<byte> clientCapabilities = default)
    {
        json.WriteStartObject("_meta"u8);
        WriteModernMetaMembers(json, clientCapabilities);
        json.WriteEndObject();
    }

    public static void WriteModernMetaMembers(Utf8JsonWriter json, ReadOnlySpan<byte> clientCapabilities = default)
    {
        json.WriteString(Protocol.MetaVersion, Protocol.Modern);
        json.WritePropertyName(Protocol.MetaClientInfo);
        WriteClientInfo(json);
        json.WritePropertyName(Protocol.MetaClientCapabilities);
        json.WriteRawValue(clientCapabilities.IsEmpty ? "{}"u8 : clientCapabilities, skipInputValidation: true);
    }

    private static void WriteClientInfo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, "weir"u8);
        json.WriteString("version"u8, typeof(UpstreamClient).Assembly.GetName().Version?.ToString(3));
        json.WriteEndObject();
    }

    private static byte[] ToBytes(string json) => System.Text.Encoding.UTF8.GetBytes(json);
}
