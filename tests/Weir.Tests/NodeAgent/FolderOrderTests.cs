using System.Text.RegularExpressions;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>The node's folders have an order, from the ground up: each names only those before it.</summary>
public sealed partial class FolderOrderTests
{
    private static readonly string[] Order = ["Linux", "State", "Processes", "Packages", "Bridge", "Servers", "Configuration", "Http", "Uplink"];

    [Fact]
    public void A_folder_of_the_node_names_only_folders_before_it()
    {
        var root = Repository.PathOf("src/Weir.NodeAgent");
        Directory.GetDirectories(root).Select(d => Path.GetFileName(d)!).Except(["bin", "obj", "Properties"]).Order().ShouldBe(Order.Order());
        foreach (var (place, folder) in Order.Index())
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs"))
            {
                var named = Named().Matches(File.ReadAllText(file)).Select(m => Array.IndexOf(Order, m.Groups["folder"].Value));
                named.ShouldAllBe(other => other <= place, $"{file} names a folder that stands above its own.");
            }
        }
    }

    [GeneratedRegex(@"(?<![A-Za-z.])(Weir\.Dtma\.)?(?<folder>Linux|State|Processes|Packages|Bridge|Servers|Configuration|Http|Uplink)(\.[A-Z]|;)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Named();
}
