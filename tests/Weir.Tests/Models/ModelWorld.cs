using System.Text.Json;
using Weir.Configuration;
using Weir.Models;
using Weir.Postgres;
using Weir.Tests.Chat;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Models;

/// <summary>A replica whose agents are answered by a provider of each API; <c>one/small</c> is the default.</summary>
public class ModelWorld(TestCluster cluster) : ChatWorld(cluster)
{
    internal const string Key = "sk-of-the-model-world";

    /// <summary>OpenAI's API.</summary>
    internal ModelServer One { get; private set; } = null!;

    /// <summary>Anthropic's.</summary>
    internal ModelServer Two { get; private set; } = null!;

    public override async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("TEST_MODEL_WORLD_KEY", Key);
        One = await ModelServer.StartAsync("openai");
        Two = await ModelServer.StartAsync("anthropic");
        await base.InitializeAsync();
        await new PlatformQueries(Database.OwnerUrl).NotifyAsync(new WeirConfig { Models = Models }, CancellationToken.None);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await One.DisposeAsync();
        await Two.DisposeAsync();
    }

    internal Task<JsonElement> ChooseAsync(object settings, Guid? agent = null) => World.CallAsync(
        "select public.set_model_settings($1, $2, $3)", Sql.Uuid(World.OrganizationId), Sql.Jsonb(JsonSerializer.Serialize(settings)),
        Sql.Uuid(agent));

    /// <summary>The exposed name of a tool that the model was offered.</summary>
    internal static string Tool(JsonElement body, string name) => body.GetProperty("tools").EnumerateArray()
        .Select(t => (t.TryGetProperty("function", out var function) ? function : t).GetProperty("name").GetString()!)
        .Single(n => n.EndsWith("__" + name, StringComparison.Ordinal));

    /// <summary>The results that the model was given in this turn, oldest first.</summary>
    internal static string[] Results(JsonElement body)
    {
        var messages = body.GetProperty("messages").EnumerateArray().ToArray();
        return
        [
            .. messages.Where(m => m.GetProperty("role").GetString() == "tool").Select(m => Text(m.GetProperty("content"))),
            .. messages.Where(m => m.GetProperty("content").ValueKind == JsonValueKind.Array)
                .SelectMany(m => m.GetProperty("content").EnumerateArray())
                .Where(c => c.GetProperty("type").GetString() == "tool_result").Select(c => Text(c.GetProperty("content"))),
        ];
    }

    private ModelsConfig Models => new()
    {
        Default = "one/small",
        Retries = 0,
        TimeoutMilliseconds = 2000,
        Providers = new Dictionary<string, ModelProviderConfig>
        {
            ["one"] = One.Config("TEST_MODEL_WORLD_KEY", "small", "large"),
            ["two"] = Two.Config("TEST_MODEL_WORLD_KEY"),
            ["keyless"] = One.Config("TEST_MODEL_WORLD_NO_KEY"),
        },
    };

    private protected override WeirConfig Configure(WeirConfig config) => base.Configure(config) with { Models = Models };

    private static string Text(JsonElement content) => content.ValueKind == JsonValueKind.Array
        ? string.Concat(content.EnumerateArray().Select(c => c.GetProperty("text").GetString())) : content.GetString()!;
}

/// <summary>The same with turns that are long enough for any machine, where no test waits for their end.</summary>
public sealed class PatientModelWorld(TestCluster cluster) : ModelWorld(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config)
    {
        var configured = base.Configure(config);
        return configured with
        {
            Chat = configured.Chat with { DeadlineSeconds = 60, ContextMilliseconds = 20_000 },
            Models = configured.Models with { TimeoutMilliseconds = 20_000 },
        };
    }
}
