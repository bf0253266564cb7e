namespace Weir.NodeAgent.Configuration;

/// <summary>What the command line says, and its exit codes: 0, 1 for a failure in one line, 2 for wrong usage.</summary>
internal static class Usage
{
    public static void Write(TextWriter output)
    {
        output.WriteLine("weir-node: runs MCP servers for Weir. Settings: --NAME VALUE, WEIR_NODE_NAME, or weir-node.json.");
        foreach (var setting in NodeSettings.All)
        {
            output.WriteLine($"  --{setting.Name,-20} {setting.Help}{(setting.Default is null ? "" : $" Default: {setting.Default}")}");
        }
    }

    public static void WriteErrors(IReadOnlyList<string> errors, TextWriter output)
    {
        foreach (var error in errors)
        {
            output.WriteLine($"weir-node: {error}");
        }
    }

    public static async Task<int> RunAsync(Func<Task> node, TextWriter output)
    {
        try
        {
            await node();
            return 0;
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            await output.WriteLineAsync($"weir-node: {e.Message}");
            return 1;
        }
    }
}
