using System.Net;
using System.Net.Http.Json;
using Weir.Nodes;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>Desired state, generations, restarts, and what the disk keeps.</summary>
public sealed class LifecycleTests(OneNode shared) : IClassFixture<OneNode>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_operation_is_applied_once_and_an_older_generation_never()
    {
        var node = shared.Node;
        var (id, spec) = (Guid.NewGuidForTests(), NodeHost.Fixture(generation: 5));
        (await node.PutAsync(id, spec, "operation-1")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        (await node.StateAsync(id, "running")).Generation.ShouldBe(5);
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();

        (await node.PutAsync(id, spec, "operation-1")).StatusCode.ShouldBe(HttpStatusCode.Accepted);
        (await raw.CallAsync("echo", """{"message":"same child"}""")).ShouldBe("same child");
        await RefusedAsync(await node.PutAsync(id, spec with { Args = ["other"] }, "operation-1"), 409, NodeErrors.OperationReused);
        await RefusedAsync(await node.PutAsync(id, spec with { Generation = 4 }, "operation-2"), 409, NodeErrors.StaleGeneration);
        await RefusedAsync(await node.PutAsync(id, spec with { Generation = 6, OrganizationId = Guid.NewGuidForTests() }), 409,
            NodeErrors.InvalidArgument);
    }

    [Fact]
    public async Task F06_an_instance_that_is_put_and_deleted_at_once_is_never_an_internal_error_and_can_be_deleted()
    {
        var node = shared.Node;
        var (id, spec) = (Guid.NewGuidForTests(), NodeHost.Fixture() with { Desired = "stopped" });
        for (var round = 1; round <= 30; round++)
        {
            var puts = Enumerable.Range(0, 3).Select(_ => node.PutAsync(id, spec with { Generation = round }));
            var deletes = Enumerable.Range(0, 2).Select(_ => node.Http.DeleteAsync($"v1/servers/{id}", Token));
            var answers = await Task.WhenAll(puts.Concat(deletes));

            answers.Select(a => a.StatusCode)
                .ShouldAllBe(s => s == HttpStatusCode.Accepted || s == HttpStatusCode.NoContent || s == HttpStatusCode.NotFound);
            foreach (var answer in answers)
            {
                answer.Dispose();
            }
        }

        using (await node.Http.DeleteAsync($"v1/servers/{id}", Token))
        {
        }

        using var gone = await node.Http.GetAsync($"v1/servers/{id}", Token);
        gone.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task M8_running_means_that_the_handshake_passed()
    {
        await using var node = await NodeHost.StartAsync(["--restart-attempts", "2", "--handshake-timeout", "2"]);
        foreach (var (vice, code) in new[]
        {
            ("silent", NodeErrors.HandshakeTimedOut),
            ("old", NodeErrors.VersionNotSupported),
            ("crash", NodeErrors.ExitedAtStart),
        })
        {
            foreach (var share in (string[])["instance", "session"])
            {
                var id = Guid.NewGuidForTests();
                (await node.PutAsync(id, NodeHost.Fixture(share, args: [vice]))).EnsureSuccessStatusCode();
                var status = await node.StateAsync(id, "running", "failed");
                status.State.ShouldBe("failed");
                status.ErrorCode.ShouldBe(code, status.Error);
                using var call = await new RawMcp(node, id).PostAsync("""{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}""");
                call.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            }
        }

        (await node.NodeStatusAsync()).Children.ShouldBe(0);
    }

    [Theory]
    [InlineData("instance")]
    [InlineData("session")]
    public async Task A_server_that_ends_before_it_answers_is_failed_at_once_and_a_restart_is_another_chance(string share)
    {
        var node = shared.Node;
        var id = Guid.NewGuidForTests();
        // It ends at its first start only: the node, which would make six attempts, made one.
        (await node.PutAsync(id, NodeHost.Fixture(share, args: ["crash-once"]))).EnsureSuccessStatusCode();
        var status = await node.StateAsync(id, "running", "failed");
        (status.State, status.ErrorCode).ShouldBe(("failed", NodeErrors.ExitedAtStart));
        status.Error!.ShouldContain("exit code 4");
        (await node.Http.PostAsync($"v1/servers/{id}/restart", null, Token)).EnsureSuccessStatusCode();
        await node.StateAsync(id, "running");
    }

    [Fact]
    public async Task D7_a_crashed_child_is_started_again_and_sessions_begin_anew()
    {
        var node = shared.Node;
        var id = await node.DeployAsync(NodeHost.Fixture());
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        (await raw.CallAsync("exit")).ShouldContain("upstream_closed");
        await Until.AsyncTrue(
            async () => (await raw.PostAsync(RawMcp.CallBody("echo"))).StatusCode == HttpStatusCode.NotFound, "the old session ended");
        (await node.StateAsync(id, "running")).ErrorCode.ShouldBeNull();
        await raw.InitializeAsync();
        (await raw.CallAsync("echo", """{"message":"again"}""")).ShouldBe("again");
        (await node.Http.GetStringAsync($"v1/servers/{id}/logs", Token)).ShouldContain("code 7");
    }

    [Fact]
    public async Task A_child_that_does_not_answer_pings_is_degraded_and_then_replaced()
    {
        await using var node = await NodeHost.StartAsync(["--ping-interval", "1", "--ping-timeout", "1"]);
        var id = await node.DeployAsync(NodeHost.Fixture(args: ["no-ping"]));
        (await node.StateAsync(id, "degraded")).ErrorCode.ShouldBe(NodeErrors.Unresponsive);
        await Until.AsyncTrue(
            async () => (await node.Http.GetStringAsync($"v1/servers/{id}/logs", Token)).Contains("3 ping", StringComparison.Ordinal),
            "three pings were missed");
        await node.StateAsync(id, "running");
    }

    [Fact]
    public async Task A_node_that_was_killed_starts_what_should_run_and_nothing_else()
    {
        var data = NodeHost.NewDataDirectory();
        Guid runs, stopped, deleted;
        {
            // Not disposed of: that would take its directory away.
            var node = await NodeHost.StartAsync(data: data);
            runs = await node.DeployAsync(NodeHost.Fixture());
            stopped = await node.DeployAsync(NodeHost.Fixture());
            deleted = await node.DeployAsync(NodeHost.Fixture());
            (await node.PutAsync(stopped, NodeHost.Fixture(generation: 2) with { Desired = "stopped" })).EnsureSuccessStatusCode();
            await node.StateAsync(stopped, "stopped");
            (await node.Http.DeleteAsync($"v1/servers/{deleted}", Token)).StatusCode.ShouldBe(HttpStatusCode.NoContent);
            await node.KillAsync();
        }

        await using var again = await NodeHost.StartAsync(data: data);
        // The killed node's reaper would kill the children of this one.
        ReapersOf(data).ShouldBe(1);
        await again.StateAsync(runs, "running");
        (await again.StatusAsync(stopped)).ShouldBe(new ServerStatus(stopped, 2, "stopped", null, null));
        (await again.Http.GetAsync($"v1/servers/{deleted}", Token)).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        Directory.Exists(Path.Combine(data, "instances", deleted.ToString())).ShouldBeFalse();
        var all = await again.Http.GetFromJsonAsync("v1/servers", NodeJson.Default.ServerList, Token);
        all!.Servers.Length.ShouldBe(2);
    }

    [Fact]
    public async Task A_node_that_was_stopped_leaves_no_reaper()
    {
        var data = NodeHost.NewDataDirectory();
        var node = await NodeHost.StartAsync(data: data);
        ReapersOf(data).ShouldBe(1);
        (await node.StopAsync()).ShouldBe(0);
        await using var again = await NodeHost.StartAsync(data: data);
        ReapersOf(data).ShouldBe(1);
    }

    [Fact]
    public async Task A_second_node_on_the_same_directory_is_refused()
    {
        var node = shared.Node;
        var failure = await Should.ThrowAsync<InvalidOperationException>(NodeHost.StartAsync(data: node.Data));
        failure.Message.ShouldContain("Another node runs on");
    }

    [Fact]
    public async Task Sessions_are_bounded_and_idle_ones_are_ended()
    {
        await using var node = await NodeHost.StartAsync(["--session-children", "2", "--session-idle", "3", "--session-spare", "600"]);
        var id = await node.DeployAsync(NodeHost.Fixture("session"));
        var (one, two) = (new RawMcp(node, id), new RawMcp(node, id));
        // All at once, so that places are taken before children have started.
        await Task.WhenAll(one.InitializeAsync(), two.InitializeAsync());
        using var third =
            await new RawMcp(node, id).PostAsync("""{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"clientInfo":{}}}""");
        third.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await third.Content.ReadAsStringAsync(Token)).ShouldContain("session_limit");
        await Until.AsyncTrue(
            async () => (await node.NodeStatusAsync()).Children == 0, "the idle sessions ended", TimeSpan.FromSeconds(30));
        await new RawMcp(node, id).InitializeAsync();
    }

    [Fact]
    public async Task A_body_that_is_no_spec_is_refused()
    {
        foreach (var body in (string[])["""{"generation":0}""", "[]", "null", "", "nonsense"])
        {
            using var content = new StringContent(body);
            await RefusedAsync(
                await shared.Node.Http.PutAsync($"v1/servers/{Guid.NewGuidForTests()}", content, Token), 400, NodeErrors.InvalidArgument);
        }

        await RefusedAsync(await shared.Node.Http.GetAsync("v1/nothing", Token), 404, NodeErrors.NotFound);
        await RefusedAsync(await shared.Node.Http.GetAsync($"v1/servers/{Guid.NewGuidForTests()}", Token), 404, NodeErrors.NotFound);
        var id = await shared.Node.DeployAsync(NodeHost.Fixture());
        await RefusedAsync(await shared.Node.Http.PostAsync($"v1/servers/{id}/secrets", null, Token), 501, NodeErrors.NotSupported);
        await RefusedAsync(await shared.Node.Http.GetAsync($"v1/servers/{id}/logs?tail=x", Token), 400, NodeErrors.InvalidArgument);
        (await shared.Node.Http.GetStringAsync("healthz", Token)).ShouldBe("ok");
    }

    [Fact]
    public async Task A_directory_that_children_cannot_reach_is_said_so_and_nothing_is_started()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Without root, children are who the node is.");
        var closed = NodeHost.NewDataDirectory();
        File.SetUnixFileMode(closed, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var node = await NodeHost.StartAsync(data: Path.Combine(closed, "data"));
        (await node.NodeStatusAsync()).Problem!.ShouldContain("Children cannot reach");
        var id = Guid.NewGuidForTests();
        (await node.PutAsync(id, NodeHost.Fixture())).EnsureSuccessStatusCode();
        (await node.StateAsync(id, "failed")).ErrorCode.ShouldBe(NodeErrors.RuntimeUnavailable);
    }

    [Fact]
    public async Task A31_what_could_be_a_command_is_refused()
    {
        var node = shared.Node;
        var good = NodeHost.Fixture();
        foreach (var bad in (ServerSpec[])
        [
            good with { Package = "../evil" }, good with { Package = "--global" }, good with { Package = "git+ssh://evil" },
            good with { Version = "latest" },
            good with { Version = "^1.0.0" }, good with { Version = "file:/etc" },
            good with { Env = new() { ["BASH_FUNC_x%%"] = "() { id; }" } },
            good with { Env = new() { ["WEIR_ENV_0"] = "x" } }, good with { Args = ["a\0b"] }, good with { Package = null },
        ])
        {
            await RefusedAsync(await node.PutAsync(Guid.NewGuidForTests(), bad), 400, NodeErrors.InvalidArgument);
        }

        await RefusedAsync(await node.PutAsync(Guid.NewGuidForTests(), good with { Runtime = "docker" }), 501, NodeErrors.NotSupported);
        await RefusedAsync(await node.PutAsync(Guid.NewGuidForTests(), good with { Share = "credential" }), 501, NodeErrors.NotSupported);
    }

    private static int ReapersOf(string data) => Directory.EnumerateDirectories("/proc").Count(process =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")) is var line && line.Contains("weir-reaper", StringComparison.Ordinal)
                && line.Contains(data + "/groups", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // It is no process, or has ended meanwhile.
        }
    });

    private static async Task RefusedAsync(HttpResponseMessage response, int status, string code)
    {
        var body = await response.Content.ReadAsStringAsync(Token);
        ((int)response.StatusCode).ShouldBe(status, body);
        body.ShouldContain($"\"code\":\"{code}\"");
        response.Dispose();
    }
}
