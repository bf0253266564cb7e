using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>What changed: a list (<c>tools</c>, <c>prompts</c>) or one resource.</summary>
internal sealed record Change(string Kind, string? Uri = null)
{
    public JsonObject Params => Uri is null ? new JsonObject() : new JsonObject { ["uri"] = Uri };

    public string Method => Uri is null ? $"notifications/{Kind}/list_changed" : "notifications/resources/updated";
}

/// <summary>Those who want to hear of changes.</summary>
internal sealed class Changes
{
    private readonly ConcurrentDictionary<Channel<Change>, bool> _listeners = new();

    public int Listeners => _listeners.Count;

    public Channel<Change> Listen()
    {
        var channel = Channel.CreateUnbounded<Change>();
        _listeners[channel] = true;
        return channel;
    }

    public void Forget(Channel<Change> channel) => _listeners.TryRemove(channel, out _);

    public void Raise(Change change)
    {
        foreach (var channel in _listeners.Keys)
        {
            channel.Writer.TryWrite(change);
        }
    }
}

/// <summary>Lists, reads, gets and calls, the same in both eras.</summary>
internal sealed class Features
{
    private int _cancelled;
    private int _calls;
    private int _readings;
    private int _subscriptions;

    public Changes Changes { get; } = new();

    /// <summary>The tool that waits in the middle goes on, and has.</summary>
    public SemaphoreSlim GoOn { get; } = new(0);

    public SemaphoreSlim WentOn { get; } = new(0);

    public int? PageSize { get; init; }

    /// <summary>Whether the tool, or prompt, that comes and goes is there.</summary>
    public bool HasDynamicTool { get; private set; }

    public bool HasDynamicPrompt { get; private set; }

    /// <summary>How often the watched resource was changed.</summary>
    public int Readings => Volatile.Read(ref _readings);

    /// <summary>How many tool calls arrived.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>How many calls of <c>test_wait</c> learned that nobody waits for them.</summary>
    public int Cancelled => Volatile.Read(ref _cancelled);

    /// <summary>How many subscriptions legacy clients asked for.</summary>
    public int Subscriptions => Volatile.Read(ref _subscriptions);

    /// <summary>Until then they are not answered.</summary>
    public Task Subscribing { get; set; } = Task.CompletedTask;

    public static JsonObject ServerInfo => new() { ["name"] = "weir-conformance", ["version"] = "1.0.0" };

    public static JsonObject Capabilities => Rpc.Object("""
        {"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}
        """);

    public Task SubscribeAsync()
    {
        Interlocked.Increment(ref _subscriptions);
        return Subscribing;
    }

    public void CountCancelled() => Interlocked.Increment(ref _cancelled);

    public void ChangeTools()
    {
        HasDynamicTool = !HasDynamicTool;
        Changes.Raise(new Change("tools"));
    }

    public void ChangePrompts()
    {
        HasDynamicPrompt = !HasDynamicPrompt;
        Changes.Raise(new Change("prompts"));
    }

    public void ChangeWatchedResource()
    {
        Interlocked.Increment(ref _readings);
        Changes.Raise(new Change("resources", Resources.Watched));
    }

    /// <summary>The result, or null where no era has that method.</summary>
    public async Task<JsonObject?> AnswerAsync(string method, ServerCall call) => method switch
    {
        "tools/list" => Page("tools", Tools.List(this), call),
        "tools/call" => await CallAsync(call),
        "prompts/list" => Page("prompts", Prompts.List(this), call),
        "prompts/get" => await Prompts.GetAsync(call),
        "resources/list" => Page("resources", Resources.List(), call),
        "resources/templates/list" => Page("resourceTemplates", Resources.Templates(), call),
        "resources/read" => Resources.Read(this, call),
        "completion/complete" => Prompts.Complete(call),
        _ => null,
    };

    private async Task<JsonObject> CallAsync(ServerCall call)
    {
        Interlocked.Increment(ref _calls);
        return await Tools.CallAsync(this, call);
    }

    private JsonObject Page(string member, JsonArray items, ServerCall call)
    {
        if (PageSize is not { } size)
        {
            return new JsonObject { [member] = items };
        }

        if (!int.TryParse(call.Params["cursor"]?.GetValue<string>() ?? "0", out var start) || start < 0 || start > items.Count)
        {
            throw new RpcException(Rpc.InvalidParams, "Unknown cursor");
        }

        var page = new JsonObject { [member] = new JsonArray([.. items.Skip(start).Take(size).Select(i => i!.DeepClone())]) };
        if (start + size < items.Count)
        {
            page["nextCursor"] = $"{start + size}";
        }

        return page;
    }
}
