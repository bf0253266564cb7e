using System.Security.Cryptography;
using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Gateway.AgentTools;
using Weir.Identity;
using Weir.Postgres;

namespace Weir.Server.Up;

/// <summary>Where the demo gets what it works with.</summary>
/// <param name="Services">The running replica's.</param>
/// <param name="Shared">A directory that other accounts can pass through, for the demo folder.</param>
internal sealed record DemoContext(UpOptions Options, WeirConfig Config, IServiceProvider Services, string Shared, TimeProvider Time);

/// <summary>
/// The demo organization: a login, a workspace with a channel, an agent with a key, three servers of which it may use two. Made
/// through the functions that every other person uses. What cannot be read back from the database (the key, the password) is
/// kept in <c>demo.json</c> of the data directory, which its owner alone can read.
/// </summary>
internal sealed class Demo(DemoContext context)
{
    private const string Instructions = "You help people to look at the files of the demo folder. Answer briefly.";
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);
    private static readonly JsonSerializerOptions Readable = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly UserSession _users = context.Services.GetRequiredService<UserSession>();
    private readonly PersonTokens _tokens = context.Services.GetRequiredService<PersonTokens>();
    private readonly DemoQueries _queries = new(context.Config.Database.OwnerUrl!, context.Services.GetRequiredService<UserSession>());

    /// <summary>Makes the demo on the first run, finds it on later ones, and waits until its instances are running or failed.</summary>
    public static Task<DemoReport> EnsureAsync(DemoContext context, CancellationToken cancellationToken) =>
        new Demo(context).EnsureAsync(cancellationToken);

    private async Task<DemoReport> EnsureAsync(CancellationToken ct)
    {
        var file = Path.Combine(context.Config.DataDirectory, "demo.json");
        var kept = await FindAsync(file, ct);
        if (kept is null)
        {
            kept = await CreateAsync(ct);
            DataDirectory.WritePrivate(file, JsonSerializer.Serialize(kept, Readable));
        }
        else if (!await IsThereAsync(kept, ct))
        {
            context.Options.Say(
                "The demo's organization was deleted or is switched off, so there is no demo. "
                + $"For a new one, with a login of its own, remove {file}.");
            return LoginOf(kept);
        }

        await WaitAsync(kept, ct);
        return LoginOf(kept) with
        {
            AgentId = kept.AgentId,
            AgentKey = kept.AgentKey,
            OrganizationId = kept.OrganizationId,
            WorkspaceId = kept.WorkspaceId,
            ChannelId = kept.ChannelId,
        };
    }

    private DemoReport LoginOf(DemoFile kept) => new()
    {
        Email = kept.Email,
        Password = kept.Password,
        AnonKey = _tokens.IsEmbedded ? _tokens.IssueAnonKey() : null,
        UserToken = kept.Email is { } email ? _tokens.Issue(kept.UserId, email) : null,
    };

    /// <summary>Null where there is none, or where the file is of another database: its person is not in this one.</summary>
    private async Task<DemoFile?> FindAsync(string file, CancellationToken ct) =>
        File.Exists(file) && JsonSerializer.Deserialize<DemoFile>(await File.ReadAllTextAsync(file, ct), Readable) is { } kept
            && await DatabaseKind.HasUserAsync(context.Config.Database.OwnerUrl!, kept.UserId, ct)
                ? kept
                : null;

    /// <summary>False for an organization that is deleted: a second demo would make a second platform admin.</summary>
    private async Task<bool> IsThereAsync(DemoFile kept, CancellationToken ct)
    {
        try
        {
            await _queries.ServersAsync(kept.UserId, kept.OrganizationId, ct);
            return true;
        }
        catch (WeirException e) when (e.Code is ErrorCode.NotFound or ErrorCode.Forbidden)
        {
            return false;
        }
    }

    private async Task<DemoFile> CreateAsync(CancellationToken ct)
    {
        var servers = DemoServers.All(MakeFolder());
        await _queries.PublishAsync(servers.Select(s => DemoServers.Json(s.Entry)), ct);
        var (user, email, password) = await LoginAsync(ct);

        var organization = await _queries.CreateOrganizationAsync(user, "Demo", ct);
        var workspace = await _queries.CreateWorkspaceAsync(user, organization, "Demo", ct);
        var channel = await _queries.CreateChannelAsync(user, workspace, "general", ct);
        var agent = await _queries.CreateAgentAsync(user, organization, "Demo agent", Instructions, workspace, ct);
        var (key, keyId, secret) = AgentKey.Create();
        await _queries.CreateAgentKeyAsync(user, agent, "demo", keyId, secret, ct);

        var serverIds = new List<Guid>();
        foreach (var server in servers)
        {
            var id = await _queries.CreateServerAsync(user, organization, DemoServers.Json(server.Config), ct);
            if (server.Permissions is { } permissions)
            {
                await _queries.GrantAsync(user, agent, id, DemoServers.Json(permissions), ct);
            }

            await _queries.DeployServerAsync(user, organization, id, ct);
            serverIds.Add(id);
        }

        return new DemoFile(user, email, password, organization, workspace, channel, agent, key, serverIds);
    }

    /// <summary>
    /// The login that <c>up</c> creates becomes a platform admin. <c>--owner-user</c> names an existing person, who does not.
    /// </summary>
    private async Task<(Guid User, string? Email, string? Password)> LoginAsync(CancellationToken ct)
    {
        if (context.Options.OwnerUser is { } owner)
        {
            return (owner, null, null);
        }

        // One database may have seen several data directories, each with a demo of its own.
        var email = $"demo-{RandomNumberGenerator.GetHexString(6, lowercase: true)}@weir.example";
        var password = RandomNumberGenerator.GetString("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789", 20);
        var user = await _queries.CreateUserAsync(email, Logins.Hash(password), ct);
        await _queries.AddPlatformAdminAsync(user, ct);
        return (user, email, password);
    }

    /// <summary>The servers' accounts may look, and nobody may write: the demo agent only reads.</summary>
    private string MakeFolder()
    {
        const UnixFileMode Look = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        const UnixFileMode Enter = Look | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        var folder = Path.Combine(context.Shared, "demo");
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, Enter);
        foreach (var (name, text) in DemoFiles)
        {
            var file = Path.Combine(folder, name);
            File.WriteAllText(file, text);
            File.SetUnixFileMode(file, Look);
        }

        return folder;
    }

    private static IEnumerable<(string Name, string Text)> DemoFiles =>
    [
        ("welcome.txt", "Welcome to Weir. This folder is what the demo agent may read.\n"),
        ("shopping-list.md", "# Shopping list\n\n- apples\n- bread\n- coffee\n"),
        ("rivers.csv", "river,length_km\nDanube,2850\nElbe,1094\nRhine,1233\n"),
    ];

    /// <summary>
    /// Waits until each of the demo's own servers has reached the state that it was told to reach, or has failed, and the agent's list
    /// holds what those that run have. Nothing waits for other servers of the organization.
    /// </summary>
    private async Task WaitAsync(DemoFile kept, CancellationToken ct)
    {
        var (started, said) = (context.Time.GetTimestamp(), "");
        while (await AwaitedAsync(kept, ct) is { Length: > 0 } awaited && context.Time.GetElapsedTime(started) < ReadyTimeout)
        {
            if (awaited != said)
            {
                context.Options.Say($"Waiting for {awaited}, at most {ReadyTimeout.TotalSeconds:0} s …");
                said = awaited;
            }

            await Task.Delay(PollInterval, context.Time, ct);
        }

        foreach (var server in await OwnServersAsync(kept, ct))
        {
            context.Options.Say($"  {server.Name,-12} {server.Status}{(server.ErrorCode is null ? "" : $" ({server.ErrorCode})")}");
        }
    }

    /// <summary>By their names where an earlier release has kept no ids.</summary>
    private async Task<IReadOnlyList<DemoQueries.Server>> OwnServersAsync(DemoFile kept, CancellationToken ct)
    {
        var names = DemoServers.All(demoFolder: "").Select(s => s.Name);
        var servers = await _queries.ServersAsync(kept.UserId, kept.OrganizationId, ct);
        return [.. servers.Where(s => kept.ServerIds?.Contains(s.Id) ?? names.Contains(s.Name))];
    }

    /// <summary>What is not ready yet, in words; empty: nothing.</summary>
    private async Task<string> AwaitedAsync(DemoFile kept, CancellationToken ct)
    {
        var servers = await OwnServersAsync(kept, ct);
        string[] moving =
        [
            .. servers.Where(s => s.Status is "deploying" or "updating" or "degraded" or "stopping").Select(s => $"{s.Name} ({s.Status})"),
        ];
        if (moving.Length > 0)
        {
            return string.Join(", ", moving);
        }

        try
        {
            var catalogs = context.Services.GetRequiredService<AgentToolsCache>();
            var catalog = await catalogs.LoadAsync(Principal.OfKey(AgentKey.Parse(kept.AgentKey)!), instanceName: null, ct);
            return string.Join(", ", servers
                .Where(s => catalog.Instances.Any(i => i.Id == s.Id && i.Status == "running"))
                .Where(s => !catalog.Items.Any(t => t.InstanceId == s.Id))
                .Select(s => $"the tools of {s.Name}"));
        }
        catch (WeirException e) when (e.Code == ErrorCode.Forbidden)
        {
            context.Options.Say(
                "Calls of the demo agent are switched off. `weir start-all` starts them again after `weir stop-all`; "
                + "else switch the agent on with set_agent_active.");
            return "";
        }
        catch (WeirException e) when (e.Code == ErrorCode.Unauthenticated)
        {
            // The demo's key was revoked since, which is its owner's right.
            return "";
        }
    }

    private sealed record DemoFile(
        Guid UserId, string? Email, string? Password, Guid OrganizationId, Guid WorkspaceId, Guid ChannelId, Guid AgentId, string AgentKey,
        IReadOnlyList<Guid>? ServerIds);
}
