using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Configuration;

/// <summary>What a million tokens cost, in the currency of <c>models.currency</c>.</summary>
internal sealed record ModelPrice(decimal Input, decimal Output);

/// <summary>One endpoint that has models.</summary>
/// <param name="Kind">The API that it speaks: <c>openai</c> or <c>anthropic</c>.</param>
/// <param name="KeyVariable">The environment variable with its key; null: it wants none.</param>
/// <param name="Models">Those that may be used, with their prices; null: what it costs is not known.</param>
internal sealed record ModelProviderConfig(string Kind, Uri Url, string? KeyVariable, IReadOnlyDictionary<string, ModelPrice?> Models);

/// <summary>The models that answer in chat, as the operator defines them.</summary>
internal sealed partial record ModelsConfig
{
    /// <summary>The model that needs nobody.</summary>
    public const string Offline = "offline";

    private static readonly string[] Kinds = ["openai", "anthropic"];
    private static readonly Dictionary<string, ModelProviderConfig> None = [];

    /// <summary>By name.</summary>
    public IReadOnlyDictionary<string, ModelProviderConfig> Providers { get; init; } = None;

    /// <summary>Where nobody has chosen: <c>offline</c>, or <c>provider/model</c>.</summary>
    public string Default { get; init; } = Offline;

    /// <summary>Of the prices.</summary>
    public string Currency { get; init; } = "USD";

    /// <summary>How long a model may be silent. Milliseconds.</summary>
    public int TimeoutMilliseconds { get; init; } = 20_000;

    /// <summary>Attempts after the first one.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>Most tokens of one answer.</summary>
    public int MaxTokens { get; init; } = 2048;

    /// <summary>Largest response of a provider. Bytes.</summary>
    public int MaxResponseBytes { get; init; } = 4 * 1024 * 1024;

    public static ModelsConfig Read(ConfigReader reader)
    {
        var defaults = new ModelsConfig();
        var providers = ReadProviders(reader);
        var config = new ModelsConfig
        {
            Providers = providers.Count == 0 ? defaults.Providers : providers,
            Default = reader.Text("models.default", defaults.Default)!,
            Currency = reader.Text("models.currency", defaults.Currency)!,
            TimeoutMilliseconds = reader.Integer("models.timeoutMilliseconds", defaults.TimeoutMilliseconds, 100, 600_000),
            Retries = reader.Integer("models.retries", defaults.Retries, 0, 10),
            MaxTokens = reader.Integer("models.maxTokens", defaults.MaxTokens, 1, 1_000_000),
            MaxResponseBytes = reader.Integer("models.maxResponseBytes", defaults.MaxResponseBytes, 1024, 64 * 1024 * 1024),
        };
        if (config.Default != Offline && !IsModel(config.Default, providers))
        {
            reader.AddError("models.default", $"\"{config.Default}\" is neither offline nor a provider/model of models.providers.");
        }

        if (!CurrencyCode().IsMatch(config.Currency))
        {
            reader.AddError("models.currency", $"\"{config.Currency}\" is not three capital letters.");
        }

        return config;
    }

    private static bool IsModel(string name, Dictionary<string, ModelProviderConfig> providers) =>
        name.Split('/', 2) is [var provider, var model] && providers.GetValueOrDefault(provider)?.Models.ContainsKey(model) == true;

    private static Dictionary<string, ModelProviderConfig> ReadProviders(ConfigReader reader)
    {
        var providers = new Dictionary<string, ModelProviderConfig>(StringComparer.Ordinal);
        foreach (var member in reader.Object("models.providers").EnumerateObject())
        {
            try
            {
                providers[member.Name] = ReadProvider(member.Name, member.Value);
            }
            catch (FormatException e)
            {
                reader.AddError("models.providers", $"{member.Name}: {e.Message}");
            }
        }

        return providers;
    }

    private static ModelProviderConfig ReadProvider(string name, JsonElement json)
    {
        if (!ProviderName().IsMatch(name) || name == Offline)
        {
            throw new FormatException("A provider's name is up to 40 of a-z, 0-9, - and _, and not offline.");
        }

        RefuseOthers(json, "kind", "url", "key", "models");
        var kind = Text(json, "kind");
        var key = Text(json, "key");
        return new ModelProviderConfig(
            Kinds.Contains(kind) ? kind! : throw new FormatException($"kind must be {string.Join(" or ", Kinds)}."),
            Uri.TryCreate(Text(json, "url"), UriKind.Absolute, out var url) && url.Scheme is "https" or "http" && url.UserInfo.Length == 0
                ? url
                : throw new FormatException("url must be an https or http URL without a user name."),
            key is null || (Variable().IsMatch(key) && !key.StartsWith("WEIR_", StringComparison.Ordinal))
                ? key
                : throw new FormatException("key is the name of an environment variable, not one of WEIR_*, and never the key itself."),
            ReadModels(json));
    }

    private static Dictionary<string, ModelPrice?> ReadModels(JsonElement json)
    {
        if (!json.TryGetProperty("models", out var models) || models.ValueKind != JsonValueKind.Object || !models.EnumerateObject().Any())
        {
            throw new FormatException("models must name at least one model: {\"model\": {\"input\": price, \"output\": price}}.");
        }

        return models.EnumerateObject().ToDictionary(
            m => m.Name is { Length: > 0 and <= 200 } && !m.Name.Any(char.IsControl)
                ? m.Name
                : throw new FormatException("A model's name has 1 to 200 characters."),
            m => ReadPrice(m.Name, m.Value), StringComparer.Ordinal);
    }

    private static ModelPrice? ReadPrice(string model, JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Null || (json.ValueKind == JsonValueKind.Object && !json.EnumerateObject().Any()))
        {
            return null;
        }

        RefuseOthers(json, "input", "output");
        return new ModelPrice(Price(json, "input"), Price(json, "output"));

        decimal Price(JsonElement prices, string member) =>
            prices.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.Number
                && value.TryGetDecimal(out var price) && price is >= 0 and <= 1_000_000
                ? price
                : throw new FormatException($"{model}: {member} must be a price of a million tokens, 0 to 1000000.");
    }

    private static void RefuseOthers(JsonElement json, params string[] members)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new FormatException("It wants a JSON object.");
        }

        if (json.EnumerateObject().FirstOrDefault(p => !members.Contains(p.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } other)
        {
            throw new FormatException($"There is no member {other.Name}.");
        }
    }

    private static string? Text(JsonElement json, string member) =>
        json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null ? null
        : throw new FormatException($"{member} must be text.");

    [GeneratedRegex("^[a-z0-9][a-z0-9_-]{0,39}$", RegexOptions.None, 1000)]
    private static partial Regex ProviderName();

    [GeneratedRegex("^[A-Za-z_][A-Za-z0-9_]{0,99}$", RegexOptions.None, 1000)]
    private static partial Regex Variable();

    [GeneratedRegex("^[A-Z]{3}$", RegexOptions.None, 1000)]
    private static partial Regex CurrencyCode();
}
