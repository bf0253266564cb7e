using System.Globalization;
using System.Security.Claims;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres;
using Weir.Postgres.Embedded;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// A database as a new Supabase project has it, in a cluster of its own, since roles belong to the cluster; and the project's
/// tokens. Its <c>postgres</c> is no superuser, and Weir's two logins are not there before somebody migrates.
/// </summary>
public sealed class SupabaseProject : IAsyncDisposable
{
    internal const string PostgresPassword = "postgres-of-the-project";
    private static int _made;

    private readonly DataDirectory _directory;
    private readonly EmbeddedPostgres _postgres;

    private SupabaseProject(DataDirectory directory, EmbeddedPostgres postgres) => (_directory, _postgres) = (directory, postgres);

    public static string JwtSecret => "the JWT secret of a project, of 32 characters or more";

    public static string Issuer => "https://project.example/auth/v1";

    public string OwnerUrl => DatabaseUrl.Format("postgres", PostgresPassword, "127.0.0.1", _postgres.Port, "weir");

    public string GatewayUrl => _postgres.GatewayUrl;

    public string EngineUrl => _postgres.EngineUrl;

    public string SuperuserUrl => _postgres.SuperuserUrl("weir");

    /// <summary>Bypasses every policy.</summary>
    public NpgsqlDataSource Superuser => TestCluster.Source(SuperuserUrl);

    public static async Task<SupabaseProject> StartAsync()
    {
        var number = Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture);
        var directory = DataDirectory.Open(Path.Combine(Path.GetTempPath(), $"weir-test-supabase-{Environment.ProcessId}-{number}"));
        var postgres = await EmbeddedPostgres.StartAsync(
            directory, new EmbeddedPostgresOptions { Settings = EmbeddedPostgresOptions.ThrowAway }, NullLogger.Instance,
            TimeProvider.System, CancellationToken.None);
        var project = new SupabaseProject(directory, postgres);
        await PrepareAsync(postgres, "weir");
        return project;
    }

    /// <summary>Once in a cluster: the roles are the cluster's.</summary>
    internal static async Task PrepareAsync(EmbeddedPostgres postgres, string database)
    {
        var made = await PostgresTools.PsqlAsync(
            postgres.Binaries, postgres.SuperuserUrl(database), "db/testing/supabase.sql", CancellationToken.None);
        made.ExitCode.ShouldBe(0, made.Error);
        await using var superuser = TestCluster.Source(postgres.SuperuserUrl(database));
        await superuser.ExecuteAsync($"alter role postgres password '{PostgresPassword}'", [], CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await _postgres.DisposeAsync();
        _directory.Dispose();
        Directory.Delete(_directory.Path, recursive: true);
    }

    /// <summary>Somebody who signed up with the project.</summary>
    public async Task<Guid> SignUpAsync()
    {
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        await using var superuser = Superuser;
        await superuser.ExecuteAsync(
            "insert into auth.users (id, aud, role, email, created_at) values ($1, 'authenticated', 'authenticated', $2, now())",
            [Sql.Uuid(id), Sql.Text($"{id:N}@example.test")], CancellationToken.None);
        return id;
    }

    /// <summary>What nobody but the project's own services may change.</summary>
    public Task<string> DumpOfSupabasesOwnAsync() => PostgresTools.DumpSchemaAsync(
        _postgres.Binaries, _postgres.SuperuserUrl("weir"), ["--schema=auth", "--schema=vault"], CancellationToken.None);

    /// <summary>A token as the project's own issuer makes it.</summary>
    /// <param name="subject">Null in the keys <c>anon</c> and <c>service_role</c>, which are nobody's.</param>
    /// <param name="credentials">Null: HS256 with the project's secret.</param>
    internal static string Token(Guid? subject, string role = "authenticated", SigningCredentials? credentials = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        Claim[] who = subject is { } id ? [new Claim("sub", id.ToString())] : [];
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = Issuer,
            Audience = "authenticated",
            IssuedAt = now,
            NotBefore = now,
            Expires = now.AddHours(1),
            Subject = new ClaimsIdentity([.. who, new Claim("role", role)]),
            SigningCredentials = credentials
                ?? new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(JwtSecret)), SecurityAlgorithms.HmacSha256),
        });
    }
}
