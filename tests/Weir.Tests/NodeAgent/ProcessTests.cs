using System.Text.Json.Nodes;
using Weir.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>Who the children are, what they may, and that none is left over.</summary>
public sealed class ProcessTests(OneNode shared) : IClassFixture<OneNode>
{
    private static readonly Guid One = Guid.Parse("11111111-1111-1111-1111-111111111111");
    private static readonly Guid Other = Guid.Parse("22222222-2222-2222-2222-222222222222");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A31_a_child_is_nobody_has_no_privileges_and_sees_only_what_was_declared()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can give children a user of their own.");
        await using var node = await NodeHost.StartAsync(environment: new() { ["OPERATORS_SECRET"] = "do not tell" });
        var id = await node.DeployAsync(
            NodeHost.Fixture(
                env: new() { ["DECLARED"] = "a \"b\" $c\nd", ["DATA"] = "${instanceDir}/x", ["LD_LIBRARY_PATH"] = "/nowhere" }));
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        var environment = JsonNode.Parse(await raw.CallAsync("environment"))!.AsObject();
        var home = environment["HOME"]!.GetValue<string>();
        home.ShouldBe(Path.Combine(node.Data, "instances", id.ToString()));
        environment["DECLARED"]!.GetValue<string>().ShouldBe("a \"b\" $c\nd");
        environment["DATA"]!.GetValue<string>().ShouldBe(home + "/x");
        environment.Select(e => e.Key).Except(["PATH", "HOME", "TMPDIR", "LANG", "NODE_ENV", "DECLARED", "DATA", "LD_LIBRARY_PATH", "PWD"])
            .ShouldBeEmpty();

        var process = JsonNode.Parse(await raw.CallAsync("process"))!;
        process["uid"]!.GetValue<int>().ShouldBeGreaterThanOrEqualTo(210000);
        process["groups"]!.ToJsonString().ShouldBe($"[{process["gid"]}]");
        process["cwd"]!.GetValue<string>().ShouldBe(home);
        var status = process["status"]!.GetValue<string>();
        status.ShouldContain("NoNewPrivs:\t1");
        foreach (var set in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        {
            status.ShouldContain($"{set}:\t0000000000000000");
        }

        var limits = process["limits"]!.GetValue<string>();
        limits.ShouldMatch(@"Max open files +1024 +1024");
        limits.ShouldMatch(@"Max core file size +0 +0");
        limits.ShouldMatch(@"Max processes +1024 +1024");
        limits.ShouldMatch(@"Max data size +2147483648 +2147483648");
        var stat = process["stat"]!.GetValue<string>().Split(") ")[^1].Split(' ');
        stat[2].ShouldBe($"{process["pid"]}", "It leads its own group,");
        stat[3].ShouldBe($"{process["pid"]}", "and its own session.");
    }

    [Fact]
    public async Task Its_temporary_directory_has_room_for_a_unix_sockets_name_and_is_the_instances_own()
    {
        // 107 characters are the most that the path of a socket has; the data directory alone has more.
        var data = Directory.CreateDirectory(Path.Combine(NodeHost.NewDataDirectory(), new string('d', 100))).FullName;
        string temp;
        await using (var node = await NodeHost.StartAsync(data: data))
        {
            var id = await node.DeployAsync(NodeHost.Fixture());
            var raw = new RawMcp(node, id);
            await raw.InitializeAsync();
            temp = JsonNode.Parse(await raw.CallAsync("environment"))!["TMPDIR"]!.GetValue<string>();
            temp.Length.ShouldBeLessThan(40);
            var name = new string('s', 60);

            (await raw.CallAsync("listen", $$"""{"name":"{{name}}"}""")).ShouldBe("listening");

            File.Exists(Path.Combine(data, "instances", id.ToString(), name)).ShouldBeTrue();
            (await node.Http.DeleteAsync($"v1/servers/{id}", Token)).EnsureSuccessStatusCode();
            await Until.True(() => !File.Exists(temp) && new FileInfo(temp).LinkTarget is null, "the short path goes with its instance");
            (await node.StopAsync()).ShouldBe(0);
        }

        Directory.Exists(Path.GetDirectoryName(temp)).ShouldBeFalse("the short paths go with their node");
    }

    [Fact]
    public async Task A_node_tries_its_runtime_as_a_user_of_its_own_range_which_no_other_node_clears()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can give children a user of their own.");
        var data = NodeHost.NewDataDirectory();
        var (program, seen) = (Path.Combine(data, "node.sh"), Path.Combine(data, "seen"));
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nid -u >>{seen}\n", Token);
        await File.WriteAllTextAsync(seen, "", Token);
        const UnixFileMode everybodyReads =
            UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead | UnixFileMode.UserWrite;
        File.SetUnixFileMode(program, everybodyReads | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        File.SetUnixFileMode(seen, everybodyReads | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
        await using var node = await NodeHost.StartAsync(["--node", program], data);
        (await node.NodeStatusAsync()).Problem.ShouldBeNull();
        var own = await FirstUserAsync(data);
        own.ShouldNotBe(await FirstUserAsync(shared.Node.Data), "The shared node has a range already.");
        (await File.ReadAllTextAsync(seen, Token)).Trim().ShouldBe(own);

        static async Task<string> FirstUserAsync(string data) =>
            (await File.ReadAllLinesAsync(Path.Combine(data, "state", "uids"), Token))[0];
    }

    [Fact]
    public async Task Organizations_cannot_read_each_others_files_nor_the_nodes()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can give children a user of their own.");
        var node = shared.Node;
        var one = await node.DeployAsync(NodeHost.Fixture(organization: One));
        var other = await node.DeployAsync(NodeHost.Fixture(organization: Other));
        var secret = Path.Combine(node.Data, "instances", one.ToString(), "secret");
        await File.WriteAllTextAsync(secret, "of one", Token);
        var (ofOne, ofOther) = (new RawMcp(node, one), new RawMcp(node, other));
        await ofOne.InitializeAsync();
        await ofOther.InitializeAsync();
        (await ofOne.CallAsync("read", $$"""{"path":"{{secret}}"}""")).ShouldBe("of one");
        (await ofOther.CallAsync("read", $$"""{"path":"{{secret}}"}""")).ShouldBe("EACCES");
        (await ofOther.CallAsync("read", $$"""{"path":"{{node.Data}}/state/api-key"}""")).ShouldBe("EACCES");
        (await ofOther.CallAsync("read", $$"""{"path":"/proc/{{node.Process.Id}}/environ"}""")).ShouldBe("EACCES");
        var pid = JsonNode.Parse(await ofOne.CallAsync("process"))!["pid"]!;
        (await ofOther.CallAsync("read", $$"""{"path":"/proc/{{pid}}/environ"}""")).ShouldBe("EACCES");
    }

    [Fact]
    public async Task Without_root_the_node_says_so_and_refuses_a_second_organization()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "As root, another user can be tried.");
        await using var node = await NodeHost.StartAsync(asUser: 54321, environment: new() { ["HOME"] = "/tmp" });
        (await node.NodeStatusAsync()).Isolation.ShouldBe("none");
        var id = await node.DeployAsync(NodeHost.Fixture(organization: One));
        await node.DeployAsync(NodeHost.Fixture(organization: One));
        using var refused = await node.PutAsync(Guid.NewGuidForTests(), NodeHost.Fixture(organization: Other));
        ((int)refused.StatusCode).ShouldBe(409);
        (await refused.Content.ReadAsStringAsync(Token)).ShouldContain(NodeErrors.SecondOrganization);
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        JsonNode.Parse(await raw.CallAsync("process"))!["status"]!.GetValue<string>().ShouldContain("NoNewPrivs:\t1");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A35_a_killed_node_leaves_no_process_behind(bool asRoot)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "As root, both cases can be tried.");
        await using var node = await NodeHost.StartAsync(asUser: asRoot ? null : 54321u);
        // It ignores the end of its input and every signal that can be ignored, and has a child that holds its output.
        var id = await node.DeployAsync(NodeHost.Fixture(args: ["stubborn"]));
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        var processes = new List<string>
        {
            JsonNode.Parse(await raw.CallAsync("process"))!["pid"]!.ToString(),
            await raw.CallAsync("offspring"),
        };
        if (asRoot)
        {
            processes.Add(await raw.CallAsync("escape"));
        }

        processes.ShouldAllBe(p => Directory.Exists($"/proc/{p}"));
        await node.KillAsync();
        await Until.True(() => processes.TrueForAll(IsGone), "every process of the killed node ends");
    }

    [Fact]
    public async Task A35_children_are_reaped_under_churn()
    {
        await using var node = await NodeHost.StartAsync();
        var id = await node.DeployAsync(NodeHost.Fixture("session"));
        for (var round = 0; round < 3; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 6).Select(async i =>
            {
                var raw = new RawMcp(node, id);
                await raw.InitializeAsync();
                if (i % 2 == 0)
                {
                    (await raw.CallAsync("exit")).ShouldContain("upstream_closed");
                    return;
                }

                await raw.CallAsync("echo", """{"message":"x"}""");
                using var delete = new HttpRequestMessage(HttpMethod.Delete, node.Mcp(id));
                delete.Headers.Add("Mcp-Session-Id", raw.Session);
                (await node.Http.SendAsync(delete, Token)).EnsureSuccessStatusCode();
            }));
        }

        await Until.AsyncTrue(async () => (await node.NodeStatusAsync()).Children == 0, "no child is left");
        // The reaper and its sleep-free shell are the node's only child; zombies would count too.
        await Until.True(() => ChildrenOf(node.Process.Id) == 1, "the reaper alone is left");
        await Until.True(() => !Directory.EnumerateFiles(Path.Combine(node.Data, "groups")).Any(), "no group is on record");
        (await node.StopAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task A_stop_ends_even_a_stubborn_child_and_its_offspring_before_it_says_stopped()
    {
        var node = shared.Node;
        var organization = Environment.IsPrivilegedProcess ? Guid.NewGuidForTests() : One;
        var id = await node.DeployAsync(NodeHost.Fixture(organization: organization, args: ["stubborn"]));
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        List<string> processes = [JsonNode.Parse(await raw.CallAsync("process"))!["pid"]!.ToString(), await raw.CallAsync("offspring")];
        if (Environment.IsPrivilegedProcess)
        {
            processes.Add(await raw.CallAsync("escape"));
        }

        var hanging = raw.CallAsync("hang");
        (await node.PutAsync(
            id, NodeHost.Fixture(organization: organization, generation: 2) with { Desired = "stopped" })).EnsureSuccessStatusCode();
        (await node.StateAsync(id, "stopped")).Generation.ShouldBe(2);
        processes.ShouldAllBe(p => IsGone(p));
        (await hanging).ShouldContain("upstream_closed");
    }

    [Fact]
    public async Task An_orderly_end_ends_all_children()
    {
        await using var node = await NodeHost.StartAsync();
        var id = await node.DeployAsync(NodeHost.Fixture(args: ["stubborn"]));
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        var process = JsonNode.Parse(await raw.CallAsync("process"))!["pid"]!.ToString();
        (await node.StopAsync()).ShouldBe(0);
        IsGone(process).ShouldBeTrue();
    }

    private static bool IsGone(string process)
    {
        try
        {
            // Who adopts orphans here may be slow to reap them; a zombie runs no more.
            return File.ReadAllText($"/proc/{process}/stat").Split(") ")[^1][0] == 'Z';
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static int ChildrenOf(int process) =>
        Directory.EnumerateDirectories($"/proc/{process}/task")
            .Sum(t => File.ReadAllText(Path.Combine(t, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
}
