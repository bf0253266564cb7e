using Weir.Mcp;

namespace Weir.Definitions;

/// <summary>How one kind of things is asked for.</summary>
/// <param name="Capability">The member of the server's capabilities without which there is nothing to ask.</param>
/// <param name="Member">The member of the result that holds the items.</param>
/// <param name="IsOptional">Whether a server with the capability may lack the method.</param>
internal sealed record ListedKind(
    string Kind, string Capability, string Method, string Member, string NameMember, int MaxNameBytes, bool IsOptional)
{
    public static readonly IReadOnlyList<ListedKind> All =
    [
        new(ItemKinds.Tool, "tools", Methods.ToolsList, "tools", "name", 1024, IsOptional: false),
        new(ItemKinds.Prompt, "prompts", Methods.PromptsList, "prompts", "name", 1024, IsOptional: true),
        new(ItemKinds.Template, "resources", Methods.ResourceTemplatesList, "resourceTemplates", "uriTemplate", 1024, IsOptional: true),
        new(ItemKinds.Resource, "resources", Methods.ResourcesList, "resources", "uri", 2048, IsOptional: true),
    ];

    /// <param name="kind">One of <see cref="ItemKinds"/>.</param>
    public static ListedKind Of(string kind) => All.First(k => k.Kind == kind);
}
