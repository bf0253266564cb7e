using System.Text.Json;

namespace Weir.Tests.Database.Model;

/// <summary>The few grants that random worlds choose from, each beside what it means.</summary>
public static class Granted
{
    private static readonly Entry[] All =
    [
        new("""{}""", _ => false, (_, _) => false),
        new("""{"tools": {"read": {}}}""", t => t == "read", (t, _) => t == "read"),
        new("""{"tools": {"read": {"args": {"path": {"type": "string", "under": "/data"}}}}}""", t => t == "read",
            (t, a) => t == "read" && a is Below),
        new("""{"tools": {"*": {}}}""", _ => true, (_, _) => true),
        new("""{"tools": {"list_*": {}, "write": {"other": "deny"}}}""", t => t is "list_a" or "write",
            (t, a) => t == "list_a" || (t == "write" && a is null or "{}")),
        new("""{"tools": {"*": {"args": {"path": {"equals": "/x"}}}, "read": {}}}""", _ => true, (t, _) => t == "read"),
        new("""{"tools": {"re*": {"args": {"path": {"type": "string"}}}, "*d": {"args": {"path": {"prefix": "/data/"}}}}}""",
            t => t == "read", (t, a) => t == "read" && a is Below or Climbing),
    ];

    private const string Below = """{"path": "/data/a"}""";
    private const string Climbing = """{"path": "/data/../etc"}""";

    /// <summary>Arguments that probes choose from.</summary>
    public static IReadOnlyList<string?> Arguments { get; } = [
        null, "{}", Below, Climbing, """{"path": ["/data/a"]}""", """{"path": "/database/a"}""", "[]", "{",
    ];

    public static IReadOnlyList<string> Tools { get; } = ["read", "write", "list_a"];

    public static IReadOnlyList<JsonElement> Permissions { get; } = [.. All.Select(e => e.Parsed)];

    /// <summary>Whether the grant names the tool.</summary>
    public static bool Name(JsonElement permissions, string tool) => Of(permissions).Name(tool);

    /// <summary>Whether the grant permits the tool with these arguments.</summary>
    public static bool Tool(JsonElement permissions, string tool, string? arguments) => Of(permissions).Call(tool, arguments);

    private static Entry Of(JsonElement permissions) => All.Single(e => e.Parsed.GetRawText() == permissions.GetRawText());

    private sealed record Entry(string Text, Func<string, bool> Name, Func<string, string?, bool> Call)
    {
        public JsonElement Parsed { get; } = JsonDocument.Parse(Text).RootElement;
    }
}
