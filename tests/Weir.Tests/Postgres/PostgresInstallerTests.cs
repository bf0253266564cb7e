using Weir.Postgres.Embedded;

namespace Weir.Tests.Postgres;

public sealed class PostgresInstallerTests
{
    [Fact]
    public void A_plan_that_replaces_or_removes_what_is_installed_is_told_from_one_that_only_adds()
    {
        PostgresInstaller.Replaced("""
            Reading package lists...
            The following packages will be upgraded:
              libpq5 postgresql-15
            Inst libpq5 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])
            Inst postgresql-15-pgtap (1.2.0-3 Debian:12.11/oldstable [all])
            Inst postgresql-15 [15.18-0+deb12u1] (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64]) []
            Remv postgresql-14 [14.1-1]
            Conf libpq5 (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])
            """).ShouldBe(["libpq5", "postgresql-15", "postgresql-14"]);
        PostgresInstaller.Replaced("""
            Inst postgresql-15-pgtap (1.2.0-3 Debian:12.11/oldstable [all])
            Conf postgresql-15-pgtap (1.2.0-3 Debian:12.11/oldstable [all])
            """).ShouldBeEmpty();
    }
}
