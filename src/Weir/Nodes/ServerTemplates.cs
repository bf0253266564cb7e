using System.Text.Json;
using System.Text.RegularExpressions;

namespace Weir.Nodes;

/// <summary>An entry of the catalog and an instance's configuration do not fit together.</summary>
internal sealed class TemplateException(string message) : Exception(message);

/// <summary>
/// Fills an instance's configuration into the args and env of its catalog server. Only <c>${config.name}</c> is known here, and
/// <c>${instanceDir}</c> is left for the node. Values are put in once and never read again as templates, and none of them becomes an
/// option: a text that begins an argument must not begin with a dash.
/// </summary>
internal static partial class ServerTemplates
{
    public const string TemplateInvalid = "template_invalid";

    /// <summary>An argument that is one placeholder and nothing else takes a list as so many arguments.</summary>
    /// <exception cref="TemplateException">A placeholder is unknown, or its value is not there or of no use as text.</exception>
    public static string[] Args(JsonElement templates, JsonElement configuration)
    {
        var args = new List<string>();
        foreach (var template in Texts(templates))
        {
            if (Placeholder().Match(template) is { Success: true } match && match.Length == template.Length
                && TryFind(match, configuration, out var value) && value.ValueKind == JsonValueKind.Array)
            {
                args.AddRange(value.EnumerateArray().Select(item => NoOption(Text(item, match.Value), item, match.Value)));
            }
            else
            {
                args.Add(Fill(template, configuration, isArgument: true));
            }
        }

        return [.. args];
    }

    /// <exception cref="TemplateException">As above; a list has no place in a variable.</exception>
    public static Dictionary<string, string> Env(JsonElement templates, JsonElement configuration)
    {
        var env = new Dictionary<string, string>(StringComparer.Ordinal);
        if (templates.ValueKind == JsonValueKind.Object)
        {
            foreach (var variable in templates.EnumerateObject())
            {
                var template = variable.Value.ValueKind == JsonValueKind.String
                    ? variable.Value.GetString()!
                    : throw new TemplateException($"env.{variable.Name} is not a text.");
                env[variable.Name] = Fill(template, configuration, isArgument: false);
            }
        }

        return env;
    }

    /// <summary>
    /// The values of the environment, without what the node fills in. Of one that cannot be made, the parts of the entry itself: they are
    /// the operator's, and an admin who leaves a value out must not learn them.
    /// </summary>
    /// <returns>False where one could not be made.</returns>
    public static bool TryReadEnv(JsonElement templates, JsonElement configuration, ICollection<string> values)
    {
        if (templates.ValueKind != JsonValueKind.Object)
        {
            return true;
        }

        var isWhole = true;
        foreach (var variable in templates.EnumerateObject())
        {
            var isText = variable.Value.ValueKind == JsonValueKind.String;
            var template = isText ? variable.Value.GetString()! : variable.Value.GetRawText();
            try
            {
                isWhole &= isText;
                foreach (var part in Fill(template, configuration, isArgument: false).Split(NodeContract.InstanceDirPlaceholder))
                {
                    values.Add(part);
                }
            }
            catch (TemplateException)
            {
                isWhole = false;
                foreach (var part in Placeholder().EnumerateSplits(template))
                {
                    values.Add(template[part]);
                }
            }
        }

        return isWhole;
    }

    private static IEnumerable<string> Texts(JsonElement templates) => templates.ValueKind != JsonValueKind.Array
        ? []
        : templates.EnumerateArray().Select(t => t.ValueKind == JsonValueKind.String
            ? t.GetString()!
            : throw new TemplateException("An item of args is not a text."));

    private static string Fill(string template, JsonElement configuration, bool isArgument) => Placeholder().Replace(template, match =>
    {
        if (match.Value == NodeContract.InstanceDirPlaceholder)
        {
            return match.Value;
        }

        if (!TryFind(match, configuration, out var value))
        {
            throw new TemplateException($"{match.Value} has no value in the configuration.");
        }

        var text = Text(value, match.Value);
        return isArgument && match.Index == 0 ? NoOption(text, value, match.Value) : text;
    });

    /// <summary>False where the configuration does not have it.</summary>
    private static bool TryFind(Match match, JsonElement configuration, out JsonElement value)
    {
        value = default;
        var name = match.Groups["config"];
        if (match.Value != NodeContract.InstanceDirPlaceholder && !name.Success)
        {
            throw new TemplateException(
                $"{match.Value} is not a placeholder: known are ${{config.…}} and {NodeContract.InstanceDirPlaceholder}.");
        }

        return name.Success && configuration.ValueKind == JsonValueKind.Object && configuration.TryGetProperty(name.Value, out value)
            && value.ValueKind != JsonValueKind.Null;
    }

    private static string Text(JsonElement value, string placeholder) => value.ValueKind switch
    {
        JsonValueKind.String => Whole(value.GetString()!, placeholder),
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => throw new TemplateException($"{placeholder} is not a text, number or boolean."),
    };

    /// <summary>The node fills its own placeholder into whatever it gets; what a tenant wrote must not be read as one.</summary>
    private static string Whole(string text, string placeholder) => text.Contains("${", StringComparison.Ordinal)
        || text.Contains('\0', StringComparison.Ordinal)
        ? throw new TemplateException($"The value of {placeholder} holds \"${{\" or NUL.")
        : text;

    private static string NoOption(
        string text, JsonElement value, string placeholder) => value.ValueKind == JsonValueKind.String && text.StartsWith('-')
        ? throw new TemplateException($"The value of {placeholder} begins with a dash; the server would take it for an option.")
        : text;

    [GeneratedRegex(@"\$\{(config\.(?<config>[A-Za-z0-9_]+)|[^}]*)\}",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Placeholder();
}
