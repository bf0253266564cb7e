using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Chat.Offline;
using Weir.Configuration;
using Weir.Egress;
using Weir.Models;

namespace Weir.Tests.Models;

/// <summary>One turn's model on providers of the test, without a turn.</summary>
internal sealed class ModelHarness : IDisposable
{
    public const string Key = "sk-test-0123456789";

    private readonly EgressHttp _egress;
    private readonly ModelsConfig _config;
    private readonly ModelClients _clients;

    public ModelHarness(ModelsConfig config, TimeProvider? time = null, string[]? allow = null, Func<string, string?>? keys = null)
    {
        _config = config;
        Time = time ?? TimeProvider.System;
        _egress = new EgressHttp(new EgressPolicy(allow ?? ["127.0.0.1"]));
        _clients = new ModelClients(config, _egress, new OfflineModel(), keys ?? (name => name == "TEST_KEY" ? Key : null), Time);
    }

    public TimeProvider Time { get; }

    public List<GivenUp> GivenUp { get; } = [];

    public TimeSpan Left { get; set; } = TimeSpan.FromSeconds(30);

    public static ModelsConfig Of(params (string Name, ModelProviderConfig Provider)[] providers) =>
        new()
        {
            Providers = providers.ToDictionary(p => p.Name, p => p.Provider, StringComparer.Ordinal),
            Default = $"{providers[0].Name}/small",
        };

    public TurnModel Open(ModelSettings? settings = null) => new(
        _clients, ModelPlan.Of(settings ?? ModelSettings.None, _config), new ModelTally(_config), () => Left,
        given =>
        {
            GivenUp.Add(given);
            return ValueTask.CompletedTask;
        },
        Time, NullLogger.Instance);

    public static async Task<ChatResponse> AskAsync(
        IChatClient model, bool streamed, ChatOptions? options = null, params ChatMessage[] messages)
    {
        ChatMessage[] asked = messages.Length > 0 ? messages : [new(ChatRole.User, "hello")];
        return streamed
            ? await model.GetStreamingResponseAsync(asked, options).ToChatResponseAsync() : await model.GetResponseAsync(asked, options);
    }

    public void Dispose() => _egress.Dispose();
}
