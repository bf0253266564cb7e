extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

public sealed class NodeSettingsTests
{
    [Fact]
    public void The_command_line_wins_over_the_environment_and_that_over_the_file()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, """{"name":"file","region":"file","sessionIdle":7,"insecure":true, /* a comment */ "callTimeout":8}""");
        var settings = NodeSettings.Read(
            ["--config", file, "--name=line"], v => v switch { "WEIR_NODE_NAME" => "env", "WEIR_NODE_REGION" => "env", _ => null });
        var options = NodeOptions.From(settings).ShouldNotBeNull(string.Join('\n', settings.Errors));
        (options.Name, options.Region, options.Bridge.SessionIdle).ShouldBe(("line", "env", TimeSpan.FromSeconds(7)));
        File.Delete(file);
    }

    [Fact]
    public void All_errors_are_said_at_once_with_name_and_value()
    {
        var settings = NodeSettings.Read(
            ["--listen", "here", "--weir-url", "ftp://x", "--ping-interval", "-1", "--nonsense", "--token-file", "/nowhere/at/all"],
            _ => null);
        NodeOptions.From(settings).ShouldBeNull();
        foreach (var part in (string[])[
            "listen is \"here\"", "weir-url is \"ftp://x\"", "ping-interval is \"-1\"", "--nonsense", "token-file is \"/nowhere/at/all\"",
        ])
        {
            settings.Errors.ShouldContain(e => e.Contains(part, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Beyond_loopback_the_api_wants_tls()
    {
        NodeOptions.From(NodeSettings.Read(["--listen", "0.0.0.0:1"], _ => null)).ShouldBeNull();
        NodeOptions.From(NodeSettings.Read(["--listen", "0.0.0.0:1", "--insecure"], _ => null)).ShouldNotBeNull();
    }

    [Fact]
    public void Every_setting_is_in_the_reference()
    {
        var reference = File.ReadAllText(Repository.PathOf("docs/nodes.md"));
        foreach (var setting in NodeSettings.All)
        {
            reference.ShouldContain($"| `{setting.Name}` | {(setting.Default is null ? "" : $"`{setting.Default}`")} | {setting.Help} |");
        }
    }
}
