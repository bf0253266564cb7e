using System.Text.Json;
using Anthropic.Models.Messages;
using Microsoft.Extensions.AI;

namespace Weir.Models;

/// <summary>What a provider takes as the description of a tool. What it does not take is left out: the server judges the arguments anyway.</summary>
/// <param name="MaxTools">Most tools of one request.</param>
/// <param name="MaxDescription">Longest description of a tool. Characters.</param>
/// <param name="Keywords">Of JSON Schema, those that may stand.</param>
/// <param name="Declare">A tool by name, description and schema, as the provider's library passes it on unchanged.</param>
internal sealed record ToolRules(int MaxTools, int MaxDescription, IReadOnlySet<string> Keywords, Func<string, string, JsonElement, AITool> Declare)
{
    private static readonly string[] Common =
    [
        "$ref", "$defs", "definitions", "type", "description", "title", "default", "enum", "const", "properties", "required", "additionalProperties",
        "items", "anyOf", "allOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern",
        "format", "minItems", "maxItems", "uniqueItems",
    ];

    /// <summary>Endpoints of this API differ; these keywords all known ones take.</summary>
    public static ToolRules OpenAI { get; } = new(
        128, 1024, Common.ToHashSet(StringComparer.Ordinal),
        static (name, description, schema) => AIFunctionFactory.CreateDeclaration(name, description, schema));

    public static ToolRules Anthropic { get; } = new(
        1024, 8192, Common.Concat(["oneOf", "not", "prefixItems", "minProperties", "maxProperties", "propertyNames",
            "patternProperties", "examples"]).ToHashSet(StringComparer.Ordinal),
        DeclareRaw);

    /// <summary>As a declaration, the library would close every object to names that its schema does not list, and move rules into descriptions.</summary>
    private static AITool DeclareRaw(string name, string description, JsonElement schema)
    {
        ToolUnion tool = new Tool
        {
            Name = name,
            Description = description,
            InputSchema = InputSchema.FromRawUnchecked(schema.EnumerateObject().ToDictionary(p => p.Name, p => p.Value, StringComparer.Ordinal)),
        };
        return tool.AsAITool();
    }
}
