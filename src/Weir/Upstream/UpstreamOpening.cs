using System.Collections.Concurrent;
using System.Text.Json;
using Weir.Configuration;
using Weir.Mcp;

namespace Weir.Upstream;

/// <summary>Finds out which era and transport a server speaks, and agrees with it on a conversation.</summary>
internal sealed class UpstreamOpening(UpstreamTransport transport)
{
    /// <summary>For era detection, and then for <c>initialize</c>.</summary>
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    /// <summary>For era detection at a server that was silent to it before.</summary>
    private static readonly TimeSpan SilentTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Instances whose server did not answer <c>server/discover</c>: some never answer a method that they do not know.</summary>
    private readonly ConcurrentDictionary<Guid, bool> _silent = new();

    /// <summary>
    /// Opens a conversation. A modern server is found by <c>server/discover</c>; whatever else comes back than a modern
    /// answer means a legacy one, which gets <c>initialize</c>.
    /// </summary>
    /// <param name="offered">What the clients of this conversation offer to servers, and Weir relays.</param>
    /// <exception cref="UpstreamException">The server is not reached, or speaks neither era.</exception>
    public async Task<UpstreamSession> OpenAsync(UpstreamTarget target, ClientCapabilities offered, CancellationToken ct)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(ct);
        try
        {
            var wasSilent = _silent.ContainsKey(target.InstanceId);
            var (modern, isSilent) = await DiscoverInTimeAsync(target, offered, wasSilent ? SilentTimeout : ConnectTimeout, deadline.Token);
            if (modern is not null)
            {
                _silent.TryRemove(target.InstanceId, out _);
                return modern;
            }

            deadline.CancelAfter(ConnectTimeout);
            var legacy = await OpenLegacyAsync(target, offered, isSilent, deadline.Token);
            if (isSilent)
            {
                // Only now: a modern server that merely hung must not be taken for a legacy one next time.
                _silent[target.InstanceId] = true;
            }

            return legacy;
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UpstreamException(
                UpstreamFailure.Unreachable, $"The server did not open a session within {ConnectTimeout.TotalSeconds:0} s.", e)
            {
                Cause = FailureCause.TimedOut,
            };
        }
    }

    /// <param name="isSilent">The server did not answer <c>server/discover</c>.</param>
    private async Task<UpstreamSession> OpenLegacyAsync(
        UpstreamTarget target, ClientCapabilities offered, bool isSilent, CancellationToken ct)
    {
        try
        {
            var (legacy, refusal) = await InitializeAsync(target, offered, sse: null, ct);
            return legacy ?? await ConnectAsync(target, offered, refusal!, ct);
        }
        catch (UpstreamException e) when (isSilent && e.Cause == FailureCause.VersionNotSupported)
        {
            // It may be a modern server that hung, so its answer to initialize does not prove that no version fits.
            throw new UpstreamException(UpstreamFailure.Unreachable, "The server did not answer server/discover in time.", e)
            {
                Cause = FailureCause.TimedOut,
            };
        }
    }

    /// <summary>The same; silent where the server does not answer in time.</summary>
    private async Task<(UpstreamSession? Modern, bool IsSilent)> DiscoverInTimeAsync(
        UpstreamTarget target, ClientCapabilities offered, TimeSpan timeout, CancellationToken ct)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limited.CancelAfter(timeout);
        try
        {
            return (await DiscoverAsync(target, offered, limited.Token), false);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (null, true);
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

            if (answer.Fields.Result.Exists)
            {
                return ReadDiscoverResult(target, answer.Fields.Result.Of(answer.Bytes), offered);
            }

            if (answer.Fields.ErrorCode is not (RpcCodes.HeaderMismatch or RpcCodes.MissingClientCapability
                or RpcCodes.UnsupportedProtocolVersion))
            {
                return null;
            }

            var supported = SupportedVersions(answer.Fields.Error.Of(answer.Bytes));
            if (supported.Any(v => Protocol.ServerVersions.Contains(v, StringComparer.Ordinal)))
            {
                return null;
            }

            if (!isFirst || !supported.Contains(Protocol.Modern, StringComparer.Ordinal))
            {
                throw Refused(Methods.Discover, answer.Fields.ErrorCode);
            }
        }
    }

    /// <summary>The response to <c>server/discover</c>; null where what came is no message.</summary>
    private async Task<UpstreamMessage?> AskWhatItSpeaksAsync(UpstreamTarget target, CancellationToken ct)
    {
        var body = RpcBody.Build(1, Methods.Discover, json => RpcBody.WriteModernMeta(json));
        using var request = UpstreamTransport.Post(target, Protocol.Modern, sessionId: null, Methods.Discover, name: null, body);
        using var exchange = await transport.SendAsync(target, request, ct);
        try
        {
            await foreach (var message in exchange.ReadAsync(1, ct))
            {
                if (message.Fields.Kind == MessageKind.Response)
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
    /// <param name="refusal">What the server said to <c>initialize</c>.</param>
    private async Task<UpstreamSession> ConnectAsync(
        UpstreamTarget target, ClientCapabilities offered, UpstreamException refusal, CancellationToken ct)
    {
        using var request = UpstreamTransport.Listen(target, version: null, sessionId: null);
        var stream = await transport.SendAsync(target, request, ct);
        SseConnection? sse = null;
        UpstreamSession? session = null;
        try
        {
            sse = await SseConnection.OpenAsync(stream.Response, target.Endpoint, transport.MaxResponseBytes, ct)
                ?? throw (stream.Status is < 300 or 400 or 404 or 405 or 406 ? refusal : stream.RefusalByStatus);
            (session, _) = await InitializeAsync(target, offered, sse, ct);
            return session ?? throw refusal;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or ObjectDisposedException)
        {
            throw ConnectionFailures.ToException(e);
        }
        finally
        {
            if (sse is null)
            {
                stream.Dispose();
            }
            else if (session is null)
            {
                sse.Dispose();
            }
        }
    }

    /// <summary>No session where the server's answer says that this is not its transport.</summary>
    /// <param name="version">The one that is asked for.</param>
    private async Task<(UpstreamSession? Session, UpstreamException? Refusal)> InitializeAsync(
        UpstreamTarget target, ClientCapabilities offered, SseConnection? sse, CancellationToken ct, string version = Protocol.LatestLegacy)
    {
        var body = RpcBody.Build(1, Methods.Initialize, json =>
        {
            json.WriteString("protocolVersion"u8, version);
            json.WritePropertyName("capabilities"u8);
            json.WriteRawValue(offered.Utf8, skipInputValidation: true);
            json.WritePropertyName("clientInfo"u8);
            RpcBody.WriteClientInfo(json);
        });
        using var request = UpstreamTransport.Post(target, version: null, sessionId: null, Methods.Initialize, name: null, body);
        using var exchange = sse is null
            ? await transport.SendAsync(target, request, ct) : await transport.PostAsync(target, sse, body, ct);
        if (sse is null && await RefusesPostAsync(exchange, ct) is { } refusal)
        {
            return (null, refusal);
        }

        await foreach (var message in exchange.ReadAsync(1, ct))
        {
            if (message.Fields.Kind != MessageKind.Response)
            {
                continue;
            }

            if (!message.Fields.Result.Exists && VersionToTryNext(version, message) is { } next)
            {
                return await InitializeAsync(target, offered, sse, ct, next);
            }

            if (!message.Fields.Result.Exists)
            {
                throw Refused(Methods.Initialize, message.Fields.ErrorCode);
            }

            var session = ReadInitializeResult(target, exchange.SessionId, message.Fields.Result.Of(message.Bytes), offered, sse);
            await transport.NotifyAsync(
                session, Methods.Initialized, """{"jsonrpc":"2.0","method":"notifications/initialized"}"""u8.ToArray(), ct);
            return (session, null);
        }

        throw new UpstreamException(UpstreamFailure.Nonsense, "The server ended its answer to initialize without a result.");
    }

    /// <summary>
    /// What the server says where it takes no POST at its address, as one of 2024-11-05: 404 or 405 whatever the body holds, which is often
    /// the JSON of a web framework, or 400 without a message of the protocol. Null where its answer is about initialize.
    /// </summary>
    private static async Task<UpstreamException?> RefusesPostAsync(UpstreamRequest exchange, CancellationToken ct)
    {
        if (exchange.Status is not (400 or 404 or 405))
        {
            return null;
        }

        try
        {
            await foreach (var message in exchange.ReadAsync(1, ct))
            {
                return exchange.Status == 400 ? null : Refused(Methods.Initialize, message.Fields.ErrorCode);
            }
        }
        catch (UpstreamException e) when (e.Failure == UpstreamFailure.Nonsense)
        {
            return e;
        }

        return exchange.RefusalByStatus;
    }

    /// <summary>
    /// A server should answer a version that it does not know with one that it does; some answer with an error, which may name their
    /// versions. Null where there is nothing to try.
    /// </summary>
    private static string? VersionToTryNext(string asked, UpstreamMessage refusal)
    {
        if (!string.Equals(asked, Protocol.LatestLegacy, StringComparison.Ordinal))
        {
            return null;
        }

        var supported = SupportedVersions(refusal.Fields.Error.Of(refusal.Bytes));
        return supported.Length > 0
            ? Array.Find(Protocol.ServerVersions, v => supported.Contains(v, StringComparer.Ordinal))
            : refusal.Fields.ErrorCode == RpcCodes.InvalidParams ? Protocol.OldestLegacy : null;
    }

    private static UpstreamSession ReadInitializeResult(
        UpstreamTarget target, string? sessionId, ReadOnlyMemory<byte> bytes, ClientCapabilities offered, SseConnection? sse)
    {
        using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var result = document.RootElement;
        var version = result.TryGetProperty("protocolVersion", out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
        if (version is null || !Protocol.ServerVersions.Contains(version, StringComparer.Ordinal))
        {
            throw new UpstreamException(UpstreamFailure.Nonsense, "The server speaks no protocol version that Weir supports.")
            {
                Cause = FailureCause.VersionNotSupported,
            };
        }

        var info = result.TryGetProperty("serverInfo", out var i) ? i.GetRawText() : "{}";
        var capabilities = result.TryGetProperty("capabilities", out var c) ? c.GetRawText() : "{}";
        return new UpstreamSession(target, version, sessionId, ToBytes(info), ToBytes(capabilities), offered, sse);
    }

    private static UpstreamSession? ReadDiscoverResult(UpstreamTarget target, ReadOnlyMemory<byte> bytes, ClientCapabilities offered)
    {
        using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var result = document.RootElement;
        if (!Texts(result, "supportedVersions").Contains(Protocol.Modern, StringComparer.Ordinal))
        {
            return null;
        }

        var info = result.TryGetProperty("_meta", out var meta) && meta.ValueKind == JsonValueKind.Object
            && meta.TryGetProperty(Protocol.MetaServerInfo, out var value)
            ? value.GetRawText() : "{}";
        var capabilities = result.TryGetProperty("capabilities", out var declared) ? declared.GetRawText() : "{}";
        return new UpstreamSession(target, Protocol.Modern, sessionId: null, ToBytes(info), ToBytes(capabilities), offered);
    }

    private static UpstreamException Refused(string method, int code) =>
        new(UpstreamFailure.Nonsense, $"The server refused {method} with the error code {code}.") { Cause = FailureCause.RequestRefused };

    private static string[] SupportedVersions(ReadOnlyMemory<byte> error)
    {
        using var document = JsonDocument.Parse(error, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        return document.RootElement.TryGetProperty("data", out var data) && data.ValueKind == JsonValueKind.Object
            ? Texts(data, "supported") : [];
    }

    private static string[] Texts(
        JsonElement json, string member) => json.TryGetProperty(member, out var list) && list.ValueKind == JsonValueKind.Array
        ? [.. list.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!)]
        : [];

    private static byte[] ToBytes(string json) => System.Text.Encoding.UTF8.GetBytes(json);
}
