using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Chat.Tools;

namespace Weir.Chat.Offline;

/// <summary>One argument that a tool takes.</summary>
internal sealed record Parameter(string Name, bool Required, JsonElement Schema)
{
    public string Type => Schema.ValueKind == JsonValueKind.Object && Schema.TryGetProperty("type", out var type)
        ? type.ValueKind == JsonValueKind.String ? type.GetString() ?? ""
            : type.ValueKind == JsonValueKind.Array && type.GetArrayLength() > 0 ? type[0].ToString() : ""
        : "";

    public string Description => Text("description");

    public string Format => Text("format");

    private string Text(string member) =>
        Schema.ValueKind == JsonValueKind.Object && Schema.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString() ?? "" : "";
}

/// <summary>A tool that the offline model may call, with its schema read once. Order is the turn's: the better priority first.</summary>
internal sealed record OfflineTool(string Name, string Server, string Tool, string Description, IReadOnlyList<Parameter> Parameters)
{
    /// <summary>Null for a tool that the offline model must leave alone, or whose schema is no object.</summary>
    public static OfflineTool? Of(AITool tool) =>
        tool.GetService<ToolFacts>() is { IsForOffline: true } facts && tool is AIFunctionDeclaration function
        ? new OfflineTool(tool.Name, facts.Server, facts.Tool, tool.Description, Read(function.JsonSchema))
        : null;

    private static IReadOnlyList<Parameter> Read(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out var properties)
            || properties.ValueKind != JsonValueKind.Object)
        {
            return [];
        }

        HashSet<string> required = schema.TryGetProperty("required", out var names) && names.ValueKind == JsonValueKind.Array
            ? [.. names.EnumerateArray().Where(n => n.ValueKind == JsonValueKind.String).Select(n => n.GetString()!)]
            : [];
        return [.. properties.EnumerateObject().Select(p => new Parameter(p.Name, required.Contains(p.Name), p.Value))];
    }
}

/// <summary>One call that the turn has made, and what came of it.</summary>
internal sealed record PastCall(string Name, ToolOutput Output);
