using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>2026-07-28: every request stands for itself.</summary>
internal sealed class ModernEra(Features features, CancellationToken ending)
{
    public const string Version = "2026-07-28";

    private static readonly string[] Methods =
    [
        "server/discover", "subscriptions/listen", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list",
        "resources/templates/list",
        "resources/read", "completion/complete",
    ];

    private static readonly string[] Cacheable = [
        "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read",
    ];

    private readonly InputState _states = new();

    public async Task AnswerAsync(HttpContext http, JsonObject message)
    {
        var reply = new Reply(http);
        var id = message["id"];
        try
        {
            var method = message["method"]?.GetValue<string>() ?? throw Bad(Rpc.InvalidRequest, "A message needs a method");
            if (id is null)
            {
                http.Response.StatusCode = StatusCodes.Status202Accepted;
                return;
            }

            var parameters = message["params"] as JsonObject ?? new JsonObject();
            Check(http.Request.Headers, method, parameters);
            if (method == "subscriptions/listen")
            {
                await ListenAsync(http, reply, id, parameters);
                return;
            }

            await reply.FinishAsync(Rpc.Result(id, await ResultAsync(http, reply, method, parameters)));
        }
        catch (RpcException e)
        {
            await reply.FailAsync(id, e);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client is gone.
        }
    }

    private async Task<JsonObject> ResultAsync(HttpContext http, Reply reply, string method, JsonObject parameters)
    {
        JsonObject result;
        try
        {
            result = method == "server/discover"
                ? new JsonObject
                {
                    ["supportedVersions"] = new JsonArray(Version),
                    ["capabilities"] = Features.Capabilities,
                    ["instructions"] = "For tests.",
                }
                : (await features.AnswerAsync(method, new Call(parameters, reply, _states, http.RequestAborted)))!;
        }
        catch (InputRequired e)
        {
            return new JsonObject { ["resultType"] = "input_required", ["inputRequests"] = e.Requests, ["requestState"] = e.State };
        }

        result["resultType"] = "complete";
        result["_meta"] = new JsonObject { [Rpc.ServerInfoKey] = Features.ServerInfo };
        if (Cacheable.Contains(method))
        {
            result["ttlMs"] = 0;
            result["cacheScope"] = method == "resources/read" ? "private" : "public";
        }

        return result;
    }

    /// <summary>In the order that the specification gives.</summary>
    private static void Check(IHeaderDictionary headers, string method, JsonObject parameters)
    {
        var version = headers["MCP-Protocol-Version"].ToString();
        if (version.Length > 0 && version != Version)
        {
            throw Bad(Rpc.UnsupportedVersion, "Unsupported protocol version",
                new JsonObject { ["supported"] = new JsonArray(Version), ["requested"] = version });
        }

        var meta = parameters["_meta"] as JsonObject;
        if (meta?[Rpc.VersionKey]?.GetValue<string>() is not { } named)
        {
            throw Bad(Rpc.InvalidParams, $"_meta needs {Rpc.VersionKey}");
        }

        if (named != version)
        {
            throw Bad(Rpc.HeaderMismatch, "MCP-Protocol-Version and _meta differ");
        }

        if (headers["Mcp-Method"].ToString() != method)
        {
            throw Bad(Rpc.HeaderMismatch, "Mcp-Method and method differ");
        }

        var name = method switch { "tools/call" or "prompts/get" => parameters["name"], "resources/read" => parameters["uri"], _ => null };
        if (name is not null && Decode(headers["Mcp-Name"].ToString()) != name.GetValue<string>())
        {
            throw Bad(Rpc.HeaderMismatch, "Mcp-Name and the body differ");
        }

        if (meta[Rpc.CapabilitiesKey] is not JsonObject)
        {
            throw Bad(Rpc.InvalidParams, $"_meta needs {Rpc.CapabilitiesKey}");
        }

        if (!Methods.Contains(method))
        {
            throw new RpcException(Rpc.MethodNotFound, "Method not found", StatusCodes.Status404NotFound);
        }

        foreach (var (parameter, header) in method == "tools/call"
            ? Tools.HeadersOf(parameters["name"]?.GetValue<string>()) : new Dictionary<string, string>())
        {
            CheckParameter(headers, parameters["arguments"]?[parameter], "Mcp-Param-" + header);
        }
    }

    private static void CheckParameter(IHeaderDictionary headers, JsonNode? value, string header)
    {
        var given = headers.TryGetValue(header, out var raw) ? Decode(raw.ToString()) : null;
        var isSame = value?.ToString() == given
            || (decimal.TryParse(given, CultureInfo.InvariantCulture, out var number)
                && decimal.TryParse(value?.ToString(), CultureInfo.InvariantCulture, out var own) && number == own);
        if (!isSame)
        {
            throw Bad(Rpc.HeaderMismatch, $"{header} and the arguments differ");
        }
    }

    /// <summary>Text that a header cannot hold comes as <c>=?base64?…?=</c>.</summary>
    private static string Decode(string header)
    {
        const string Begin = "=?base64?";
        const string End = "?=";
        if (!header.StartsWith(Begin, StringComparison.Ordinal) || !header.EndsWith(End, StringComparison.Ordinal))
        {
            return header;
        }

        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(header[Begin.Length..^End.Length]));
        }
        catch (FormatException)
        {
            throw Bad(Rpc.HeaderMismatch, "A header is not in base64");
        }
    }

    private async Task ListenAsync(HttpContext http, Reply reply, JsonNode id, JsonObject parameters)
    {
        var wanted = parameters["notifications"] as JsonObject ?? throw Bad(Rpc.InvalidParams, "notifications is required");
        var channel = features.Changes.Listen();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, ending);
        try
        {
            await reply.SendAsync(
                Rpc.Notification(
                    "notifications/subscriptions/acknowledged", Tagged(new JsonObject { ["notifications"] = wanted.DeepClone() }, id)));
            await foreach (var change in channel.Reader.ReadAllAsync(over.Token))
            {
                var isWanted = change.Uri is null
                    ? wanted[$"{change.Kind}ListChanged"]?.GetValue<bool>() ?? false
                    : (wanted["resourceSubscriptions"] as JsonArray)?.Any(u => u!.GetValue<string>() == change.Uri) ?? false;
                if (isWanted)
                {
                    await reply.SendAsync(Rpc.Notification(change.Method, Tagged(change.Params, id)));
                }
            }
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            await reply.FinishAsync(
                Rpc.Result(id,
                    new JsonObject { ["resultType"] = "complete", ["_meta"] = new JsonObject { [Rpc.SubscriptionKey] = id.DeepClone() } }));
        }
        finally
        {
            features.Changes.Forget(channel);
        }
    }

    private static JsonObject Tagged(JsonObject parameters, JsonNode id)
    {
        parameters["_meta"] = new JsonObject { [Rpc.SubscriptionKey] = id.DeepClone() };
        return parameters;
    }

    private static RpcException Bad(int code, string message, JsonNode? data = null) =>
        new(code, message, StatusCodes.Status400BadRequest, data);

    /// <summary>Ends a call that has questions.</summary>
    private sealed class InputRequired(JsonObject requests, string state) : Exception
    {
        public JsonObject Requests => requests;

        public string State => state;
    }

    /// <summary>What was answered in earlier rounds travels with the client, signed.</summary>
    private sealed class InputState
    {
        private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

        public string Seal(JsonObject answers)
        {
            var text = Encoding.UTF8.GetBytes(answers.ToJsonString());
            return Base64Url.EncodeToString(text) + "." + Base64Url.EncodeToString(HMACSHA256.HashData(_key, text));
        }

        public JsonObject Open(string state)
        {
            try
            {
                var parts = state.Split('.');
                var text = Base64Url.DecodeFromChars(parts[0]);
                if (parts.Length == 2
                    && CryptographicOperations.FixedTimeEquals(Base64Url.DecodeFromChars(parts[1]), HMACSHA256.HashData(_key, text)))
                {
                    return JsonNode.Parse(text)!.AsObject();
                }
            }
            catch (Exception e) when (e is FormatException or JsonException)
            {
                // As any other that is not ours.
            }

            throw Bad(Rpc.InvalidParams, "requestState was changed");
        }
    }

    private sealed class Call(JsonObject parameters, Reply reply, InputState states, CancellationToken cancelled) : ServerCall(parameters)
    {
        public override JsonObject Capabilities => (JsonObject)Params["_meta"]![Rpc.CapabilitiesKey]!;

        public override CancellationToken Cancelled => cancelled;

        protected override string? LogLevel => Params["_meta"]![Rpc.LogLevelKey]?.GetValue<string>();

        public override Task NotifyAsync(string method, JsonObject notification) => reply.SendAsync(Rpc.Notification(method, notification));

        public override Task<IReadOnlyDictionary<string, JsonObject>> AskAsync(params Question[] questions)
        {
            var answers = Answers();
            var open = new JsonObject();
            foreach (var question in questions)
            {
                if (!Can(question.Capability))
                {
                    throw MissingCapability(question.Capability);
                }

                if (answers[question.Key] is not JsonObject)
                {
                    question.Params.Remove("elicitationId");
                    open[question.Key] = new JsonObject { ["method"] = question.Method, ["params"] = question.Params };
                }
            }

            return open.Count > 0
                ? throw new InputRequired(open, states.Seal(answers))
                : Task.FromResult<IReadOnlyDictionary<string, JsonObject>>(
                    questions.ToDictionary(q => q.Key, q => (JsonObject)answers[q.Key]!));
        }

        public override RpcException MissingCapability(string capability) => Bad(
            Rpc.MissingCapability, $"The client lacks {capability}",
            new JsonObject { ["requiredCapabilities"] = new JsonObject { [capability] = new JsonObject() } });

        public override RpcException ResourceNotFound(string uri) =>
            new(Rpc.InvalidParams, "Resource not found", data: new JsonObject { ["uri"] = uri });

        private JsonObject Answers()
        {
            var answers = Params["requestState"]?.GetValue<string>() is { } state ? states.Open(state) : new JsonObject();
            foreach (var (key, answer) in Params["inputResponses"] as JsonObject ?? new JsonObject())
            {
                if (answer is JsonObject)
                {
                    answers[key] = answer.DeepClone();
                }
            }

            return answers;
        }
    }
}
