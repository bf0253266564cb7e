using System.Text.Json;
using Microsoft.Extensions.AI;
using Weir.Chat.Offline;
using Weir.Chat.Tools;

namespace Weir.Tests.Chat.Offline;

/// <summary>Tools as the filesystem server announces them, and a few of other servers.</summary>
internal static class OfflineTools
{
    private const string Path = """{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}""";

    public static OfflineTool ListAllowed { get; } = Tool(
        "files", "list_allowed_directories",
        "Returns the list of directories that this server is allowed to access. Use this to understand which directories and their nested "
            + "paths are available before trying to access files.");

    public static OfflineTool ListDirectory { get; } = Tool(
        "files", "list_directory",
        "Get a detailed listing of all files and directories in a specified path. Results clearly distinguish between files and "
            + "directories.", Path);

    public static OfflineTool ReadFile { get; } = Tool(
        "files", "read_text_file",
        "Read the complete contents of a file from the file system as text. Only works within allowed directories.", Path);

    public static OfflineTool SearchFiles { get; } = Tool(
        "files", "search_files", "Recursively search for files and directories matching a pattern.",
        """{"type":"object","properties":{"path":{"type":"string"},"pattern":{"type":"string","description":"a """
            + """glob"},"excludePatterns":{"default":[],"type":"array"}},"required":["path","pattern"]}""");

    public static OfflineTool FileInfo { get; } =
        Tool("files", "get_file_info", "Retrieve detailed metadata about a file or directory, without reading the actual content.", Path);

    public static IReadOnlyList<OfflineTool> Files { get; } = [FileInfo, ListAllowed, ListDirectory, ReadFile, SearchFiles];

    public static OfflineTool Tool(string server, string tool, string description, string schema = "{}") =>
        OfflineTool.Of(new Declared(server, tool, description, schema))!;

    public static PastCall Answered(OfflineTool tool, string text) =>
        new(tool.Name, new ToolOutput(tool.Server, tool.Tool, ToolCallOutcomes.Ok, text));

    public static PastCall Failed(OfflineTool tool) =>
        new(tool.Name, new ToolOutput(tool.Server, tool.Tool, ToolCallOutcomes.Failed, "It did not answer."));

    /// <summary>A tool that is only declared: nothing here ever runs.</summary>
    internal sealed class Declared(string server, string tool, string description, string schema, bool announces = true, bool marked = true)
        : AIFunctionDeclaration
    {
        public override string Name => $"{server}__{tool}";

        public override string Description => description;

        public override JsonElement JsonSchema { get; } = JsonElement.Parse(schema);

        public override object? GetService(Type serviceType, object? serviceKey = null) =>
            serviceType == typeof(ToolFacts) ? new ToolFacts(server, tool, announces, marked) : base.GetService(serviceType, serviceKey);
    }
}
