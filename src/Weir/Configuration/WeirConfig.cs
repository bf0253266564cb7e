using System.Collections;
using System.Text.Json;

namespace Weir.Configuration;

/// <summary>
/// All that an operator can set, read once and never changed: from <c>weir.json</c> and from <c>WEIR_*</c> variables.
/// Each section holds its defaults; <c>deploy/weir.reference.json</c> says for each key its default, unit and effect.
/// </summary>
internal sealed record WeirConfig
{
    /// <summary>What other programs and our own tests put into the environment under our prefix.</summary>
    private static readonly string[] ForeignPrefixes = ["WEIR_NODE_", "WEIR_TEST_", "WEIR_BENCH_", "WEIR_NEWER_DATABASE_URL"];

    private static readonly JsonDocumentOptions Lenient = new() { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip };

    /// <summary>Where Weir keeps what is not in the database: the keyring, the embedded cluster, the node's state.</summary>
    public string DataDirectory { get; init; } = ".weir";

    /// <summary>The file of the keys that all replicas share. Default: <c>keyring.json</c> in the data directory.</summary>
    public string? KeyringFile { get; init; }

    public DatabaseConfig Database { get; init; } = new();

    public HttpConfig Http { get; init; } = new();

    public McpConfig Mcp { get; init; } = new();

    public LimitsConfig Limits { get; init; } = new();

    public AdmissionConfig Admission { get; init; } = new();

    public CompletionConfig Completion { get; init; } = new();

    public EgressConfig Egress { get; init; } = new();

    public AuthConfig Auth { get; init; } = new();

    public ChatConfig Chat { get; init; } = new();

    public ModelsConfig Models { get; init; } = new();

    public KnowledgeConfig Knowledge { get; init; } = new();

    public RestConfig Rest { get; init; } = new();

    public MaintenanceConfig Maintenance { get; init; } = new();

    public string KeyringPath => KeyringFile ?? Path.Combine(DataDirectory, "keyring.json");

    /// <summary>Reads the file (none is needed at the default place) and the process's environment.</summary>
    /// <exception cref="ConfigException">Anything in it is wrong.</exception>
    public static WeirConfig Load(string? file)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "", StringComparer.Ordinal);
        file ??= environment.GetValueOrDefault("WEIR_CONFIG");
        environment.Remove("WEIR_CONFIG");
        if (file is null && !File.Exists("weir.json"))
        {
            return Parse("{}", environment);
        }

        try
        {
            return Parse(File.ReadAllText(file ?? "weir.json"), environment);
        }
        catch (IOException e)
        {
            throw new ConfigException([$"{file}: {e.Message}"]);
        }
    }

    /// <summary>The configuration in <paramref name="json"/>, overruled by the variables.</summary>
    /// <exception cref="ConfigException">Anything in it is wrong.</exception>
    public static WeirConfig Parse(string json, IReadOnlyDictionary<string, string> environment)
    {
        JsonElement root;
        try
        {
            root = JsonDocument.Parse(json, Lenient).RootElement;
        }
        catch (JsonException e)
        {
            throw new ConfigException([$"weir.json is not JSON: {e.Message}"]);
        }

        var reader = new ConfigReader(root, environment);
        var config = Read(reader);
        reader.RefuseUnknown(ForeignPrefixes);
        return reader.Errors.Count == 0 ? config : throw new ConfigException(reader.Errors);
    }

    /// <summary>Every key that the program reads.</summary>
    public static IReadOnlyList<ConfigKey> Keys()
    {
        var reader = new ConfigReader(default, new Dictionary<string, string>(StringComparer.Ordinal));
        Read(reader);
        return reader.Keys;
    }

    private static WeirConfig Read(ConfigReader reader)
    {
        var defaults = new WeirConfig();
        return new WeirConfig
        {
            DataDirectory = reader.Text("dataDirectory", defaults.DataDirectory)!,
            KeyringFile = reader.Text("keyringFile", null),
            Database = DatabaseConfig.Read(reader),
            Http = HttpConfig.Read(reader),
            Mcp = McpConfig.Read(reader),
            Limits = LimitsConfig.Read(reader),
            Admission = AdmissionConfig.Read(reader),
            Completion = CompletionConfig.Read(reader),
            Egress = EgressConfig.Read(reader),
            Auth = AuthConfig.Read(reader),
            Chat = ChatConfig.Read(reader),
            Models = ModelsConfig.Read(reader),
            Knowledge = KnowledgeConfig.Read(reader),
            Rest = RestConfig.Read(reader),
            Maintenance = MaintenanceConfig.Read(reader),
        };
    }
}
