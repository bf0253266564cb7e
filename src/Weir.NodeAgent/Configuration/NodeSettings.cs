using System.Globalization;
using System.Text.Json;

namespace Weir.NodeAgent.Configuration;

/// <summary>
/// One setting: <c>api-key-file</c> on the command line, <c>WEIR_NODE_API_KEY_FILE</c>, and <c>apiKeyFile</c> in the file.
/// </summary>
/// <param name="Default">As it would be written; null where there is none.</param>
/// <param name="Help">What it does, with unit.</param>
internal sealed record NodeSetting(string Name, string? Default, string Help)
{
    public string Variable => "WEIR_NODE_" + Name.Replace('-', '_').ToUpperInvariant();

    public string JsonName =>
        string.Concat(Name.Split('-').Select((part, i) => i == 0 ? part : char.ToUpperInvariant(part[0]) + part[1..]));
}

/// <summary>Reads the settings of a node: defaults, then <c>weir-node.json</c>, then the environment, then the command line.</summary>
internal sealed class NodeSettings
{
    public static readonly NodeSetting[] All =
    [
        new("config", "weir-node.json", "File with settings, as one JSON object; may be missing."),
        new("data", "/var/lib/weir-node", "Directory of packages, instances, logs and state. Children must be able to reach it."),
        new("listen", "127.0.0.1:0", "Address and port of the API; port 0 takes a free one. Beyond loopback it needs TLS or insecure."),
        new("advertise", null, "URL by which Weir reaches the API, if not the one listened on. Its host may be named in Host and Origin."),
        new("api-key-file", null,
            "File with the key that the API asks for. Default: state/api-key in the data directory, made when missing."),
        new("tls-certificate", null, "PEM file with the API's certificate chain."),
        new("tls-key", null, "PEM file with its private key."),
        new("insecure", "false", "Listens beyond loopback without TLS."),
        new("weir-url", null, "Weir's URL; without it the node serves whoever has the API key."),
        new("token", null, "One-time token of the first registration. Better token-file or the environment: command lines are public."),
        new("token-file", null, "File with that token."),
        new("name", null, "Name of the node. Default: the host's."),
        new("region", null, "Region that the node is in."),
        new("node", "node", "The Node.js program; found on PATH."),
        new("npm", "npm", "The npm program; found on PATH. It keeps its own configuration."),
        new("first-uid", "210000", "First user id for children, when the node is root; it takes the next free 4096 from there."),
        new("lifeline", "false", "Ends the node when its standard input ends."),
        new("install-timeout", "300", "Seconds that the installation of a package may take."),
        new("call-timeout", "1200",
            "Seconds after which a call is given up. Longer than Weir's mcp.maxCallSeconds and mcp.inputTimeoutSeconds together."),
        new("handshake-timeout", "30", "Seconds that a server may take for its handshake."),
        new("session-idle", "1800", "Seconds after which an unused session is ended."),
        new("session-spare", "30", "Seconds after which an unused session may be ended in favour of a new one, when its instance is full."),
        new("session-children", "32",
            "Sessions, each a child, that an instance with share session may have where its max_sessions is not set."),
        new("session-children-most", "128", "The most that an instance's max_sessions may be; more counts as this."),
        new("shared-sessions", "4096", "Sessions that an instance with share instance may have."),
        new("organization-queue", "256",
            "MiB of messages of one organization that may wait at the node; one instance may have half of it."),
        new("node-queue", "0",
            "MiB of messages of all organizations that may wait at the node; 0: a quarter of its memory. Each organization has 4 MiB "
                + "beside it."),
        new("restart-attempts", "6", "Failed starts in a row after which an instance is failed."),
        new("ping-interval", "15", "Seconds between two pings of a shared child."),
        new("ping-timeout", "10", "Seconds that a ping may take; three misses restart the child."),
        new("limit-processes", "1024", "Processes and threads of one organization together (only as root)."),
        new("limit-open-files", "1024", "Open files of a child."),
        new("limit-data", "2048", "MiB of writable private memory of a child."),
        new("limit-file", "1024", "MiB of the largest file that a child can write."),
    ];

    private readonly Dictionary<string, string> _values;
    private readonly List<string> _errors;

    private NodeSettings(Dictionary<string, string> values, List<string> errors) => (_values, _errors) = (values, errors);

    /// <summary>What is wrong, each naming the setting and its value. All at once, so that one look mends all.</summary>
    public IReadOnlyList<string> Errors => _errors;

    public static NodeSettings Read(string[] arguments, Func<string, string?> variable)
    {
        var (values, errors) = (new Dictionary<string, string>(StringComparer.Ordinal), new List<string>());
        var line = CommandLine(arguments, errors);
        var file = line.GetValueOrDefault("config") ?? variable("WEIR_NODE_CONFIG") ?? "weir-node.json";
        var fromFile = File.Exists(file) ? FromFile(file, errors) : [];
        foreach (var setting in All)
        {
            var value = line.GetValueOrDefault(setting.Name) ?? variable(setting.Variable) ?? fromFile.GetValueOrDefault(setting.JsonName)
                ?? setting.Default;
            if (!string.IsNullOrEmpty(value))
            {
                values[setting.Name] = value;
            }
        }

        return new NodeSettings(values, errors);
    }

    public string? Text(string name) => _values.GetValueOrDefault(name);

    public bool Flag(string name)
    {
        var text = Text(name) ?? "false";
        return bool.TryParse(text, out var value) ? value : Refuse(name, text, "true or false", fallback: false);
    }

    public long Number(string name, long least, long most)
    {
        var text = Text(name) ?? "";
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : Refuse(name, text, $"a number from {least} to {most}", least);
    }

    public TimeSpan Seconds(string name, long most = 86_400) => TimeSpan.FromSeconds(Number(name, 1, most));

    public T Refuse<T>(string name, string? value, string wanted, T fallback)
    {
        _errors.Add($"{name} is \"{value}\"; it must be {wanted}.");
        return fallback;
    }

    private static Dictionary<string, string> CommandLine(string[] arguments, List<string> errors)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < arguments.Length; i++)
        {
            var (name, value) = arguments[i].Split('=', 2) is [var n, var v] ? (n, v) : (arguments[i], null);
            var setting = name.StartsWith("--", StringComparison.Ordinal) ? Array.Find(All, s => s.Name == name[2..]) : null;
            if (setting is null)
            {
                errors.Add($"{name} is not an option; --help lists them.");
            }
            else if (value is null && setting.Default is "false")
            {
                values[setting.Name] = "true";
            }
            else if (value is null && ++i == arguments.Length)
            {
                errors.Add($"{name} wants a value.");
            }
            else
            {
                values[setting.Name] = value ?? arguments[i];
            }
        }

        return values;
    }

    private static Dictionary<string, string> FromFile(string file, List<string> errors)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using var document = JsonDocument.Parse(
                File.ReadAllBytes(file),
                new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (!Array.Exists(All, s => s.JsonName == member.Name))
                {
                    errors.Add($"{member.Name} in {file} is not a setting.");
                }

                values[member.Name] = member.Value.ToString();
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            errors.Add($"{file} cannot be read: {e.Message}");
        }

        // JSON's true reads as True.
        return values.ToDictionary(
            v => v.Key, v => v.Value is "True" or "False" ? v.Value.ToLowerInvariant() : v.Value, StringComparer.Ordinal);
    }
}
