using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Weir.Configuration;

namespace Weir.Mcp;

/// <summary>
/// What a client may offer to servers, one by one: servers register tools only for clients that can answer what these tools ask.
/// </summary>
internal static class ClientAbilities
{
    public const string ElicitationForm = "elicitation.form";
    public const string ElicitationUrl = "elicitation.url";
    public const string Sampling = "sampling";
    public const string SamplingTools = "sampling.tools";
    public const string SamplingContext = "sampling.context";
    public const string Roots = "roots";

    /// <summary>The client shows user interfaces (MCP Apps); servers should register their tools for these only then.</summary>
    public const string Apps = "extensions." + AppsExtension;

    private const string AppsExtension = "io.modelcontextprotocol/ui";

    /// <summary>What servers ask for most comes first.</summary>
    public static readonly IReadOnlyList<string> All = [
        ElicitationForm, Sampling, Roots, Apps, ElicitationUrl, SamplingTools, SamplingContext,
    ];

    /// <summary>The capabilities of a client that offers these.</summary>
    public static ClientCapabilities Capabilities(IEnumerable<string> abilities)
    {
        var json = new JsonObject();
        foreach (var ability in abilities)
        {
            // The name of an extension has dots of its own.
            var parts = ability.Split('.', 2);
            json[parts[0]] ??= new JsonObject();
            if (parts.Length > 1)
            {
                json[parts[0]]![parts[1]] =
                    ability == Apps ? new JsonObject { ["mimeTypes"] = new JsonArray("text/html;profile=mcp-app") } : new JsonObject();
            }
        }

        return ClientCapabilities.Read(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }

    public static IReadOnlyList<string> Of(ClientCapabilities offered)
    {
        if (offered.AreNone)
        {
            return [];
        }

        var json = JsonElement.Parse(offered.Utf8, new JsonDocumentOptions { MaxDepth = JsonDepth.Message });
        var abilities = new List<string>();
        if (json.TryGetProperty("elicitation", out var elicitation))
        {
            // A client that names no mode has forms: the other mode came later.
            Add(elicitation.TryGetProperty("form", out _) || !elicitation.TryGetProperty("url", out _), ElicitationForm);
            Add(elicitation.TryGetProperty("url", out _), ElicitationUrl);
        }

        if (json.TryGetProperty("sampling", out var sampling))
        {
            abilities.Add(Sampling);
            Add(sampling.TryGetProperty("tools", out _), SamplingTools);
            Add(sampling.TryGetProperty("context", out _), SamplingContext);
        }

        Add(json.TryGetProperty("roots", out _), Roots);
        Add(json.TryGetProperty("extensions", out var extensions) && extensions.ValueKind == JsonValueKind.Object
            && extensions.TryGetProperty(AppsExtension, out _), Apps);
        return abilities;

        void Add(bool isOffered, string ability)
        {
            if (isOffered)
            {
                abilities.Add(ability);
            }
        }
    }
}
