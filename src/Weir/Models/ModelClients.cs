using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Weir.Configuration;
using Weir.Egress;
using Weir.Errors;

namespace Weir.Models;

/// <summary>The clients of the operator's models, each made once.</summary>
/// <param name="offline">The model that needs nobody.</param>
/// <param name="keys">The environment.</param>
internal sealed class ModelClients(
    ModelsConfig config, EgressHttp egress, IChatClient offline, Func<string, string?> keys, TimeProvider time)
{
    private readonly ConcurrentDictionary<ModelChoice, IChatClient> _clients = new();
    private readonly ConcurrentDictionary<string, HttpClient> _http = new(StringComparer.Ordinal);

    /// <summary>Shared: not to be disposed.</summary>
    /// <exception cref="ModelException">It is none of the operator's.</exception>
    public IChatClient Of(ModelChoice choice)
    {
        if (choice.IsOffline)
        {
            return offline;
        }

        if (config.Providers.GetValueOrDefault(choice.Provider) is not { } provider || !provider.Models.ContainsKey(choice.Model))
        {
            throw new ModelException(ModelFailure.UnknownModel, "This Weir does not offer it.");
        }

        CheckUrl(provider.Url);
        return _clients.GetOrAdd(choice, _ => new ProviderClient(
            _http.GetOrAdd(choice.Provider, _ => egress.GuardedClient(new ModelWire(provider, keys, config.MaxResponseBytes, time))),
            provider.Url, choice.Model, ModelApi.Of(provider.Kind)));
    }

    /// <summary>How its provider wants tools described.</summary>
    public ToolRules RulesOf(ModelChoice choice) =>
        config.Providers.GetValueOrDefault(choice.Provider)?.Kind == "anthropic" ? ToolRules.Anthropic : ToolRules.OpenAI;

    private void CheckUrl(Uri url)
    {
        try
        {
            egress.CheckUrl(url);
        }
        catch (WeirException e)
        {
            throw new ModelException(ModelFailure.Failed,
                "The provider's address is not one that Weir connects to: it is not https, and egress.allow does not except it.", inner: e);
        }
    }
}
