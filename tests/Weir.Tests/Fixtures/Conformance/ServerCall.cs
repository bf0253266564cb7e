using System.Text.Json.Nodes;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>Something the client is asked for: <paramref name="Key"/> names it in the modern era.</summary>
internal sealed record Question(string Key, string Method, JsonObject Params)
{
    /// <summary>The capability that a client declares if it can answer.</summary>
    public string Capability => Method.Split('/')[0];
}

/// <summary>One request, as a tool or prompt sees it whichever era it came in.</summary>
internal abstract class ServerCall(JsonObject parameters)
{
    private static readonly string[] Levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

    public JsonObject Params => parameters;

    public JsonObject Arguments => Params["arguments"] as JsonObject ?? new JsonObject();

    /// <summary>What the client says that it can do.</summary>
    public abstract JsonObject Capabilities { get; }

    /// <summary>The least level that the client wants to hear of; null: none at all.</summary>
    protected abstract string? LogLevel { get; }

    /// <summary>The caller is gone, or wants no answer any more.</summary>
    public abstract CancellationToken Cancelled { get; }

    public abstract Task NotifyAsync(string method, JsonObject notification);

    /// <summary>What the client answers to each question; returns when it has answered all.</summary>
    public abstract Task<IReadOnlyDictionary<string, JsonObject>> AskAsync(params Question[] questions);

    /// <summary>Ends the connection of a stream that can be resumed, and returns when it is. Where streams cannot: nothing.</summary>
    public virtual Task ReconnectAsync() => Task.CompletedTask;

    public abstract RpcException MissingCapability(string capability);

    public abstract RpcException ResourceNotFound(string uri);

    public bool Can(string capability) => Capabilities[capability] is JsonObject;

    public Task ProgressAsync(double progress) => Params["_meta"]?["progressToken"] is { } token
        ? NotifyAsync(
            "notifications/progress",
            new JsonObject
            {
                ["progressToken"] = token.DeepClone(),
                ["progress"] = progress,
                ["total"] = 100,
                ["message"] = $"step {progress}",
            })
        : Task.CompletedTask;

    public Task LogAsync(
        string text, string level = "info") => LogLevel is { } least && Array.IndexOf(Levels, level) >= Array.IndexOf(Levels, least)
        ? NotifyAsync("notifications/message", new JsonObject { ["level"] = level, ["logger"] = "conformance", ["data"] = text })
        : Task.CompletedTask;

    public async Task<JsonObject> AskAsync(Question question) => (await AskAsync([question]))[question.Key];
}
