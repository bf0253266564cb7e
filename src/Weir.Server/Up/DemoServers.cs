using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Weir.Server.Up;

/// <summary>One of the demo's servers: what the catalog says of it, and what the demo makes of that.</summary>
/// <param name="Entry">For <c>publish_catalog_server</c>.</param>
/// <param name="Config">For <c>manage_mcp_servers('create', …)</c>.</param>
/// <param name="Permissions">The demo agent's grant; null: none, so that an ungranted server is there to be seen.</param>
internal sealed record DemoServer(string Name, object Entry, object Config, object? Permissions);

/// <summary>Three real servers from npm, pinned by version.</summary>
internal static class DemoServers
{
    private const string Version = "2026.8.31";

    /// <summary>Of the filesystem server, only what reads, and only below the demo folder: each path is held by a rule.</summary>
    private static readonly string[] ReadingTools =
        [
            "read_text_file", "read_media_file", "list_directory", "list_directory_with_sizes", "directory_tree", "search_files",
            "get_file_info",
        ];

    public static IReadOnlyList<DemoServer> All(string demoFolder) => [Everything(), Filesystem(demoFolder), Memory()];

    private static DemoServer Everything() => new(
        "everything",
        Entry("everything", "Everything", "Exercises every part of the protocol.",
            "@modelcontextprotocol/server-everything", "mcp-server-everything", ["stdio"], "session",
            // One of its tools fetches URLs from wherever it runs; this domain does not exist.
            new Dictionary<string, string>(StringComparer.Ordinal) { ["GZIP_ALLOWED_DOMAINS"] = "nowhere.invalid" }),
        new { instance_name = "everything", catalog = "everything", share = "session", idempotency_key = "demo-everything" },
        new
        {
            tools = new Dictionary<string, object>(StringComparer.Ordinal) { ["*"] = new { } },
            resources = new[] { "*" },
            prompts = new[] { "*" },
            limits = new { per_minute = 120 },
        });

    private static DemoServer Filesystem(string demoFolder)
    {
        var rule = new { args = new { path = new { type = "string", under = demoFolder } }, other = "allow" };
        // A published version does not change, and the entry names the folder, which another data directory has elsewhere.
        var slug = $"filesystem-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(demoFolder)))[..8]}";
        var tools = ReadingTools.ToDictionary(t => t, object (_) => rule, StringComparer.Ordinal);
        tools["list_allowed_directories"] = new { };
        return new DemoServer(
            "filesystem",
            new
            {
                slug,
                display_name = "Filesystem",
                description = "Reads and writes files below one folder.",
                transport = "stdio",
                runtime = "process",
                package = "@modelcontextprotocol/server-filesystem",
                version = Version,
                bin = "mcp-server-filesystem",
                args = new[] { "${config.directory}" },
                // The operator names the folders that tenants may choose from; here there is one.
                configuration_schema = new
                {
                    type = "object",
                    properties = new { directory = new { type = "string", @enum = new[] { demoFolder } } },
                    required = new[] { "directory" },
                    additionalProperties = false,
                },
                default_share = "instance",
            },
            new
            {
                instance_name = "filesystem",
                catalog = slug,
                configuration = new { directory = demoFolder },
                priority = 10,
                chat = new
                {
                    offline = new[] { "list_allowed_directories", "list_directory", "read_text_file", "search_files", "get_file_info" },
                },
                idempotency_key = "demo-filesystem",
            },
            new { tools });
    }

    private static DemoServer Memory() => new(
        "memory",
        Entry(
            "memory", "Memory", "A knowledge graph that remembers.", "@modelcontextprotocol/server-memory", "mcp-server-memory", [],
            "instance",
            new Dictionary<string, string>(StringComparer.Ordinal) { ["MEMORY_FILE_PATH"] = "${instanceDir}/memory.jsonl" },
            // It reads its file, changes the graph and writes it: of two calls at once one would be lost.
            callsAtOnce: 1),
        new { instance_name = "memory", catalog = "memory", idempotency_key = "demo-memory" },
        Permissions: null);

    private static object Entry(
        string slug, string displayName, string description, string package, string bin, string[] args,
        string share, Dictionary<string, string>? env = null, int? callsAtOnce = null) => new
    {
        slug,
        display_name = displayName,
        description,
        transport = "stdio",
        runtime = "process",
        package,
        version = Version,
        bin,
        args,
        env = env ?? [],
        configuration_schema = new { type = "object", properties = new { }, additionalProperties = false },
        default_share = share,
        calls_at_once = callsAtOnce,
    };

    public static string Json(object value) => JsonSerializer.Serialize(value);
}
