using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Configuration;

public sealed partial class JsonDepthTests
{
    /// <summary>Where messages of clients, servers and models are read.</summary>
    private static readonly string[] Folders =
        [
            "src/Weir/Mcp", "src/Weir/Upstream", "src/Weir/Definitions", "src/Weir/Gateway", "src/Weir/Chat", "src/Weir/Audit",
            "src/Weir/Models", "src/Weir.NodeAgent/Bridge",
        ];

    /// <summary>
    /// No messages: a text of a result that may be JSON, the body of a provider's refusal; both may fail. What another reader has accepted.
    /// And bodies of Weir's own endpoints.
    /// </summary>
    private static readonly string[] Others = ["Candidates.cs", "ModelWire.cs", "NumberBounds.cs", "RequestJson.cs"];

    [Fact]
    public void R05_no_reader_of_messages_has_a_limit_of_depth_of_its_own()
    {
        foreach (var file in Folders.SelectMany(f => Directory.GetFiles(Repository.PathOf(f), "*.cs", SearchOption.AllDirectories))
            .Where(f => !Others.Contains(Path.GetFileName(f))))
        {
            var code = File.ReadAllText(file);
            OwnLimit().Matches(code).Select(m => m.Value).ShouldBeEmpty(file);
            foreach (var reader in Reader().Matches(code).Select(m => m.Value).Where(r => !r.Contains("\"{}\")", StringComparison.Ordinal)))
            {
                reader.ShouldMatch("JsonDepth|ModelJson.Reading|Strict|maxDepth|Options\\)", file);
            }
        }
    }

    [GeneratedRegex(@"MaxDepth = \d+ ?\}", RegexOptions.None, 1000)]
    private static partial Regex OwnLimit();

    [GeneratedRegex(@"(Json(Document|Element)\.Parse(Async)?|new Utf8JsonReader)\([^;]*;", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reader();
}
